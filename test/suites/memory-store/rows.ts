// Rows by key, and the ways to reach them. What happens to one row happens at once.

import type { ConnectionState, Store, TransportState } from "../../../lambdas/hub/index.ts";
import { rowKeys } from "./keys.ts";

/** `rows` names what is looked at: a row, or the beginning that all rows of a query share. */
export type Access = <Result>(verb: keyof Store, rows: string, run: () => Result) => Promise<Result>;

/** Those with `expiresAt` (epoch milliseconds) are garbage after it. */
export type Rows = Map<string, { readonly expiresAt?: number }>;

export type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

export interface ConnectionRow extends ConnectionState {
  /** How many bytes there may be. */
  readonly room: number | undefined;
  /** Of the request that the newest number was given to. */
  readonly nonce: string | undefined;
  readonly expiresAt?: number;
}

export type MemoryRows = ReturnType<typeof memoryRows>;

/** What a function can do to them, one access at a time. */
export function memoryRows(rows: Rows, access: Access) {
  const get = <Row extends object>(verb: keyof Store, name: string) =>
    access(verb, name, () => structuredClone(rows.get(name) as Row | undefined));
  const lives = async (verb: keyof Store, connectionId: string) => {
    const row = await get<ConnectionState>(verb, rowKeys.connection(connectionId));
    return row !== undefined && !row.ended;
  };
  const put = (verb: keyof Store, name: string, row: object) =>
    access(verb, name, () => void rows.set(name, structuredClone(row)));
  const remove = (verb: keyof Store, name: string) => access(verb, name, () => rows.delete(name));
  const query = (verb: keyof Store, prefix: string) => access(verb, prefix, () => namesUnder(rows, prefix));
  /** Removes a row if it is as `condition` wants it. */
  const removeIf = <Row extends object>(verb: keyof Store, name: string, condition: (row: Row) => boolean) =>
    access(verb, name, () => {
      const row = rows.get(name) as Row | undefined;
      if (row !== undefined && condition(row)) rows.delete(name);
    });

  /** Changes a row where it is, if it is there and as `condition` wants it. */
  function update<Row extends object>(
    verb: keyof Store,
    name: string,
    condition: (row: Row) => boolean,
    change: (row: Mutable<Row>) => void,
  ): Promise<Row | undefined> {
    return access(verb, name, () => {
      const row = rows.get(name) as Row | undefined;
      if (row === undefined || !condition(row)) return undefined;
      change(row);
      return structuredClone(row);
    });
  }

  const updateTransport = (
    verb: keyof Store,
    id: string,
    condition: (row: TransportState) => boolean,
    change: (row: Mutable<TransportState>) => void,
  ) => update<TransportState>(verb, rowKeys.transport(id), condition, change);

  async function updateConnection(
    verb: keyof Store,
    id: string,
    condition: (row: ConnectionRow) => boolean,
    change: (row: Mutable<ConnectionRow>) => void,
  ): Promise<ConnectionState | undefined> {
    const row = await update<ConnectionRow>(verb, rowKeys.connection(id), condition, change);
    return row === undefined ? undefined : toConnection(row);
  }

  return { rows, access, get, lives, put, remove, removeIf, query, update, updateTransport, updateConnection };
}

export function putNew(rows: Rows, name: string, row: object): boolean {
  if (rows.has(name)) return false;
  rows.set(name, structuredClone(row));
  return true;
}

export function toConnection(row: ConnectionRow): ConnectionState {
  const { room: _, nonce: __, expiresAt: ___, ...connection } = row;
  return connection;
}

function namesUnder(rows: Rows, prefix: string): string[] {
  return [...rows.keys()].filter((name) => name.startsWith(prefix));
}

export function ofKind<Row>(rows: Rows, prefix: string): readonly Row[] {
  return namesUnder(rows, prefix).map((name) => rows.get(name) as Row);
}
