export class FilesView {}
