// What clients stream to methods: a row for each stream beside its connection's, and a row for each item.

import { type UploadItem, type UploadStore, uploadItemKey } from "../hub/index.ts";
import { toSeconds } from "./connection-rows.ts";
import { keys, TIME_TO_LIVE } from "./table.ts";
import type { TableClient } from "./table-client.ts";

/** How long items that nobody read may lie about. Milliseconds. */
const UPLOAD_GARBAGE = 24 * 3_600_000;

export function uploadRows(table: TableClient): UploadStore {
  async function uploadItems(connectionId: string, streamId: string): Promise<readonly UploadItem[]> {
    const { pk, sk } = keys.uploadItem(connectionId, streamId, "");
    const items: UploadItem[] = [];
    for await (const page of table.query(pk, { prefix: sk, consistent: true })) {
      for (const row of page.rows) {
        const { receivedAt, json } = row;
        items.push({ key: String(row.sk).slice(sk.length), receivedAt: Number(receivedAt), json: String(json) });
      }
    }
    return items;
  }

  return {
    async openUpload(connectionId, streamId, nonce, expiresAt) {
      const row = await table.update(
        keys.upload(connectionId, streamId),
        `SET #opener = :opener, #${TIME_TO_LIVE} = :expiresAt`,
        "attribute_not_exists(#closed) AND (attribute_not_exists(#opener) OR #opener = :opener)",
        { ":opener": nonce, ":expiresAt": toSeconds(expiresAt) },
      );
      return row === undefined ? "taken" : "opened";
    },
    async putItem(connectionId, streamId, item, capacity) {
      const upload = keys.upload(connectionId, streamId);
      const { receivedAt, json } = item;
      const expiresAt = toSeconds(receivedAt + UPLOAD_GARBAGE);
      const isOpen = "attribute_not_exists(#closed) AND (attribute_not_exists(#endedAt) OR #endedAt >= :receivedAt)";
      const entered = await table.update(
        upload,
        "SET #received = if_not_exists(#received, :zero) + :one, #waiting = if_not_exists(#waiting, :zero) + :one, " +
          `#${TIME_TO_LIVE} = if_not_exists(#${TIME_TO_LIVE}, :expiresAt)`,
        `(attribute_not_exists(#waiting) OR #waiting < :capacity) AND ${isOpen}`,
        { ":one": 1, ":zero": 0, ":capacity": capacity, ":receivedAt": receivedAt, ":expiresAt": expiresAt },
      );
      if (entered === undefined) {
        const row = await table.get(upload);
        return row !== undefined && (row.closed !== undefined || Number(row.endedAt) < receivedAt) ? "over" : "full";
      }
      const key = uploadItemKey(item, Number(entered.received));
      await table.put(keys.uploadItem(connectionId, streamId, key), { receivedAt, json, [TIME_TO_LIVE]: expiresAt });
      return "put";
    },
    async endUpload(connectionId, streamId, { receivedAt, error }) {
      await table.update(
        keys.upload(connectionId, streamId),
        `SET #endedAt = :receivedAt, #${TIME_TO_LIVE} = if_not_exists(#${TIME_TO_LIVE}, :expiresAt)` +
          (error === undefined ? "" : ", #error = :error"),
        "attribute_not_exists(#closed) AND attribute_not_exists(#endedAt)",
        {
          ":receivedAt": receivedAt,
          ":expiresAt": toSeconds(receivedAt + UPLOAD_GARBAGE),
          ...(error !== undefined && { ":error": error }),
        },
      );
    },
    async upload(connectionId, streamId) {
      const row = await table.get(keys.upload(connectionId, streamId));
      if (row === undefined) return undefined;
      const error = row.error === undefined ? undefined : String(row.error);
      const end = row.endedAt === undefined ? undefined : { receivedAt: Number(row.endedAt), error };
      return { received: Number(row.received ?? 0), end };
    },
    uploadItems,
    async dropItems(connectionId, streamId, items) {
      for (const key of items) await table.delete(keys.uploadItem(connectionId, streamId, key));
      await table.update(keys.upload(connectionId, streamId), "ADD #waiting :less", "attribute_exists(#pk)", {
        ":less": -items.length,
      });
    },
    async closeUpload(connectionId, streamId) {
      await table.update(keys.upload(connectionId, streamId), "SET #closed = :true", "attribute_exists(#pk)", {
        ":true": true,
      });
      for (const { key } of await uploadItems(connectionId, streamId)) {
        await table.delete(keys.uploadItem(connectionId, streamId, key));
      }
    },
  };
}
