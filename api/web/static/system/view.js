export class SystemView {}
