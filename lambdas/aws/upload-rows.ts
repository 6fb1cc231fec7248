// What clients stream to methods: a row for each stream beside its connection's, and a row for each item.

import { forEachLimit, type UploadItem, type UploadStore, uploadItemKey, uploadItemNonce } from "../hub/index.ts";
import { lives, toSeconds } from "./connection-rows.ts";
import { type Key, keys, TIME_TO_LIVE } from "./table.ts";
import type { TableClient } from "./table-client.ts";

/** How long items that nobody read may lie about. Milliseconds. */
const UPLOAD_GARBAGE = 24 * 3_600_000;
const DELETES_AT_ONCE = 16;

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

  const deleteItems = (connectionId: string, streamId: string, items: readonly string[]) =>
    forEachLimit(items, DELETES_AT_ONCE, async (key) => {
      await table.delete(keys.uploadItem(connectionId, streamId, key));
    });

  /**
   * What was written is taken back if the connection has ended. An ending marks the connection first and looks for rows
   * afterwards: so one of the two sees the other.
   */
  async function keep(connectionId: string, ...rows: readonly Key[]): Promise<boolean> {
    if (await lives(table, connectionId)) return true;
    for (const row of rows) await table.delete(row);
    return false;
  }

  return {
    async openUpload(connectionId, streamId, nonce, expiresAt) {
      const upload = keys.upload(connectionId, streamId);
      const row = await table.update(
        upload,
        `SET #opener = :opener, #${TIME_TO_LIVE} = :expiresAt`,
        "attribute_not_exists(#closed) AND (attribute_not_exists(#opener) OR #opener = :opener)",
        { ":opener": nonce, ":expiresAt": toSeconds(expiresAt) },
      );
      if (row === undefined) return "taken";
      return (await keep(connectionId, upload)) ? "opened" : "ended";
    },
    async putItem(connectionId, streamId, item, capacity) {
      const upload = keys.upload(connectionId, streamId);
      const { receivedAt, json, nonce } = item;
      const expiresAt = toSeconds(receivedAt + UPLOAD_GARBAGE);
      const isOpen = "attribute_not_exists(#closed) AND (attribute_not_exists(#endedAt) OR #endedAt >= :receivedAt)";
      const entered = await table.update(
        upload,
        "SET #received = if_not_exists(#received, :zero) + :one, " +
          `#${TIME_TO_LIVE} = if_not_exists(#${TIME_TO_LIVE}, :expiresAt) ADD #waiting :nonces`,
        "(attribute_not_exists(#waiting) OR size(#waiting) < :capacity) AND " +
          `(attribute_not_exists(#waiting) OR NOT contains(#waiting, :nonce)) AND ${isOpen}`,
        {
          ":one": 1,
          ":zero": 0,
          ":capacity": capacity,
          ":nonce": nonce,
          ":nonces": new Set([nonce]),
          ":receivedAt": receivedAt,
          ":expiresAt": expiresAt,
        },
      );
      const row = entered ?? (await table.get(upload));
      if (entered === undefined) {
        if (row?.closed !== undefined || Number(row?.endedAt) < receivedAt) return "over";
        // Unless it was let in before, as by a retry of the SDK.
        if (!(row?.waiting as ReadonlySet<string> | undefined)?.has(nonce)) return "full";
      }
      const place = keys.uploadItem(connectionId, streamId, uploadItemKey(item, Number(row?.received)));
      await table.put(place, { receivedAt, json, [TIME_TO_LIVE]: expiresAt });
      return (await keep(connectionId, place, upload)) ? "put" : "over";
    },
    async endUpload(connectionId, streamId, { receivedAt, error }) {
      const upload = keys.upload(connectionId, streamId);
      await table.update(
        upload,
        `SET #endedAt = :receivedAt, #${TIME_TO_LIVE} = if_not_exists(#${TIME_TO_LIVE}, :expiresAt)` +
          (error === undefined ? "" : ", #error = :error"),
        "attribute_not_exists(#closed) AND attribute_not_exists(#endedAt)",
        {
          ":receivedAt": receivedAt,
          ":expiresAt": toSeconds(receivedAt + UPLOAD_GARBAGE),
          ...(error !== undefined && { ":error": error }),
        },
      );
      await keep(connectionId, upload);
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
      if (items.length === 0) return;
      await deleteItems(connectionId, streamId, items);
      await table.update(keys.upload(connectionId, streamId), "DELETE #waiting :nonces", "attribute_exists(#pk)", {
        ":nonces": new Set(items.map(uploadItemNonce)),
      });
    },
    async closeUpload(connectionId, streamId) {
      await table.update(keys.upload(connectionId, streamId), "SET #closed = :true", "attribute_exists(#pk)", {
        ":true": true,
      });
      const left = await uploadItems(connectionId, streamId);
      await deleteItems(
        connectionId,
        streamId,
        left.map(({ key }) => key),
      );
    },
  };
}
