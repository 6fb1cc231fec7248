// What clients stream to methods.

import { type UploadItem, type UploadState, type UploadStore, uploadItemKey } from "../../../lambdas/hub/index.ts";
import { compareBytes, key, rowKeys } from "./keys.ts";
import { type MemoryRows, type Mutable, ofKind } from "./rows.ts";

/** How long items that nobody read may lie about. Milliseconds. */
const UPLOAD_GARBAGE = 24 * 3_600_000;

interface UploadRow extends UploadState {
  readonly opener: string | undefined;
  readonly waiting: number;
  readonly closed: boolean;
  readonly expiresAt: number;
}

export function uploadRows(table: MemoryRows): UploadStore {
  const { access, get, put, remove, rows, update } = table;

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
      const nothing = { opener: undefined, waiting: 0, received: 0, end: undefined, closed: false, expiresAt };
      const row = (rows.get(name) as UploadRow | undefined) ?? nothing;
      if (!condition(row)) return undefined;
      change(row);
      rows.set(name, row);
      return structuredClone(row);
    });

  return {
    async openUpload(connectionId, streamId, nonce, expiresAt) {
      const row = await upsert(
        "openUpload",
        rowKeys.upload(connectionId, streamId),
        expiresAt,
        ({ closed, opener }) => !closed && (opener === undefined || opener === nonce),
        (each) => {
          each.opener = nonce;
        },
      );
      return row === undefined ? "taken" : "opened";
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
        (row) => isOpen(row) && row.waiting < capacity,
        (row) => {
          row.waiting += 1;
          row.received += 1;
        },
      );
      if (entered === undefined) {
        const row = await get<UploadRow>("putItem", upload);
        return row !== undefined && !isOpen(row) ? "over" : "full";
      }
      const name = uploadItemKey(item, entered.received);
      await put("putItem", rowKeys.uploadItem(connectionId, streamId, name), { ...item, key: name, expiresAt });
      return "put";
    },
    async endUpload(connectionId, streamId, end) {
      await upsert(
        "endUpload",
        rowKeys.upload(connectionId, streamId),
        end.receivedAt + UPLOAD_GARBAGE,
        (row) => row.end === undefined && !row.closed,
        (row) => {
          row.end = end;
        },
      );
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
          row.waiting -= items.length;
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
