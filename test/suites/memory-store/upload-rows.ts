// What clients stream to methods.

import {
  type UploadItem,
  type UploadState,
  type UploadStore,
  uploadItemKey,
  uploadItemNonce,
} from "../../../lambdas/hub/index.ts";
import { compareBytes, key, rowKeys } from "./keys.ts";
import { type MemoryRows, type Mutable, ofKind } from "./rows.ts";

/** How long items that nobody read may lie about. Milliseconds. */
const UPLOAD_GARBAGE = 24 * 3_600_000;

interface UploadRow extends UploadState {
  readonly opener: string | undefined;
  /** The nonces of those that wait. */
  readonly waiting: readonly string[];
  readonly closed: boolean;
  readonly expiresAt: number;
}

export function uploadRows(table: MemoryRows): UploadStore {
  const { access, get, lives, put, remove, rows, update } = table;

  const uploadItems = (verb: "uploadItems" | "closeUpload", connectionId: string, streamId: string) =>
    access(verb, key("uploadItem", connectionId, streamId), () =>
      ofKind<UploadItem>(rows, key("uploadItem", connectionId, streamId))
        .map(({ key: name, receivedAt, json }) => ({ key: name, receivedAt, json }))
        .sort((one, other) => compareBytes(one.key, other.key)),
    );

  /** Changes a row that is made if it is not there. */
  const upsert = (
    verb: "openUpload" | "putItem" | "endUpload",
    name: string,
    expiresAt: number,
    condition: (row: UploadRow) => boolean,
    change: (row: Mutable<UploadRow>) => void,
  ) =>
    access(verb, name, () => {
      const nothing = { opener: undefined, waiting: [], received: 0, end: undefined, closed: false, expiresAt };
      const row = (rows.get(name) as UploadRow | undefined) ?? nothing;
      if (!condition(row)) return undefined;
      change(row);
      rows.set(name, row);
      return structuredClone(row);
    });

  /** What was written is taken back if the connection has ended. */
  async function keep(
    verb: "openUpload" | "putItem" | "endUpload",
    connectionId: string,
    ...names: readonly string[]
  ): Promise<boolean> {
    if (await lives(verb, connectionId)) return true;
    for (const name of names) await remove(verb, name);
    return false;
  }

  return {
    async openUpload(connectionId, streamId, nonce, expiresAt) {
      const upload = rowKeys.upload(connectionId, streamId);
      const row = await upsert(
        "openUpload",
        upload,
        expiresAt,
        ({ closed, opener }) => !closed && (opener === undefined || opener === nonce),
        (each) => {
          each.opener = nonce;
        },
      );
      if (row === undefined) return "taken";
      return (await keep("openUpload", connectionId, upload)) ? "opened" : "ended";
    },
    async putItem(connectionId, streamId, item, capacity) {
      const upload = rowKeys.upload(connectionId, streamId);
      const expiresAt = item.receivedAt + UPLOAD_GARBAGE;
      const isOpen = ({ closed, end }: UploadRow) =>
        !closed && (end === undefined || end.receivedAt >= item.receivedAt);
      const entered = await upsert(
        "putItem",
        upload,
        expiresAt,
        (row) => isOpen(row) && row.waiting.length < capacity && !row.waiting.includes(item.nonce),
        (row) => {
          row.waiting = [...row.waiting, item.nonce];
          row.received += 1;
        },
      );
      const row = entered ?? (await get<UploadRow>("putItem", upload));
      if (row === undefined) return "full";
      if (entered === undefined) {
        if (!isOpen(row)) return "over";
        if (!row.waiting.includes(item.nonce)) return "full";
      }
      const name = uploadItemKey(item, row.received);
      const place = rowKeys.uploadItem(connectionId, streamId, name);
      await put("putItem", place, { ...item, key: name, expiresAt });
      return (await keep("putItem", connectionId, place, upload)) ? "put" : "over";
    },
    async endUpload(connectionId, streamId, end) {
      const upload = rowKeys.upload(connectionId, streamId);
      await upsert(
        "endUpload",
        upload,
        end.receivedAt + UPLOAD_GARBAGE,
        (row) => row.end === undefined && !row.closed,
        (row) => {
          row.end = end;
        },
      );
      await keep("endUpload", connectionId, upload);
    },
    async upload(connectionId, streamId) {
      const row = await get<UploadRow>("upload", rowKeys.upload(connectionId, streamId));
      return row && { received: row.received, end: row.end };
    },
    uploadItems: (connectionId, streamId) => uploadItems("uploadItems", connectionId, streamId),
    async dropItems(connectionId, streamId, items) {
      for (const each of items) await remove("dropItems", rowKeys.uploadItem(connectionId, streamId, each));
      await update<UploadRow>(
        "dropItems",
        rowKeys.upload(connectionId, streamId),
        () => true,
        (row) => {
          const read = new Set(items.map(uploadItemNonce));
          row.waiting = row.waiting.filter((nonce) => !read.has(nonce));
        },
      );
    },
    async closeUpload(connectionId, streamId) {
      await update<UploadRow>(
        "closeUpload",
        rowKeys.upload(connectionId, streamId),
        () => true,
        (row) => {
          row.closed = true;
        },
      );
      for (const { key: each } of await uploadItems("closeUpload", connectionId, streamId)) {
        await remove("closeUpload", rowKeys.uploadItem(connectionId, streamId, each));
      }
    },
  };
}
