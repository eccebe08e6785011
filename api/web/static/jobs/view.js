export class JobsView {}
