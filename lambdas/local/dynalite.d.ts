// The parts of dynalite 4.0.0 that are used; it has no types of its own.

declare module "dynalite/db/index.js" {
  /** What dynalite answers instead of a result. Without a status it is a failure of the engine itself. */
  export interface ActionError extends Error {
    readonly statusCode?: number;
    readonly body?: object;
  }

  export interface Store {
    readonly db: { open(): Promise<void> };
    readonly lifecycleManager: { gracefulClose(): Promise<void> };
  }

  const db: {
    create(options: {
      /** Directory of the LevelDB store; in memory without one. */
      path?: string | undefined;
      createTableMs: number;
      deleteTableMs: number;
      updateTableMs: number;
    }): Store;
  };
  export default db;
}

declare module "dynalite/validations/index.js" {
  const validations: {
    checkTypes(data: unknown, types: object): object;
    checkValidations(data: object, types: object, custom: unknown, store: import("dynalite/db/index.js").Store): void;
  };
  export default validations;
}
