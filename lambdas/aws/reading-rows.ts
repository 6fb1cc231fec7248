// How far a client has come that comes for its messages: attributes of the connection row.

import type { Store } from "../hub/index.ts";
import { toConnection } from "./connection-rows.ts";
import { keys } from "./table.ts";
import type { TableClient } from "./table-client.ts";

type ReadingVerbs = Pick<Store, "greet" | "beginReading" | "hand" | "closeReading">;

const HAS_TRANSPORT = "attribute_exists(#pk) AND #transport = :transport";

export function readingRows(table: TableClient): ReadingVerbs {
  return {
    async greet(connectionId, transportId, greeting, protocol) {
      const speaks = protocol === undefined ? "" : ", #protocol = :protocol";
      const row = await table.update(
        keys.connection(connectionId),
        `SET #greeting = :greeting, #greeted = :transport${speaks}`,
        `${HAS_TRANSPORT} AND attribute_not_exists(#ended)`,
        {
          ":greeting": greeting,
          ":transport": transportId,
          ...(protocol !== undefined && { ":protocol": protocol }),
        },
      );
      return row !== undefined;
    },
    async beginReading({ connectionId, transportId, reading: { reader: seen, handed } }, reader, limit) {
      const arrived = handed === undefined ? "" : ", #sent = :handed, #acknowledged = :handed, #room = :room";
      const isSeen = seen === undefined ? "attribute_not_exists(#reader)" : "#reader = :seen";
      const isHanded = handed === undefined ? "attribute_not_exists(#handed)" : "#handed = :handed";
      const row = await table.update(
        keys.connection(connectionId),
        `SET #reader = :reader${arrived}${handed === undefined ? "" : " REMOVE #handed, #handedBytes"}`,
        // The same made twice, as by a retry of the SDK, is one.
        `${HAS_TRANSPORT} AND (${isSeen} AND ${isHanded} OR #reader = :reader)`,
        {
          ":reader": reader,
          ":transport": transportId,
          ...(seen !== undefined && { ":seen": seen }),
          ...(handed !== undefined && { ":handed": handed.number, ":room": handed.bytes + limit }),
        },
      );
      return row === undefined ? undefined : toConnection(connectionId, row);
    },
    async hand(connectionId, reader, { number, bytes }) {
      const row = await table.update(
        keys.connection(connectionId),
        "SET #handed = :number, #handedBytes = :bytes REMOVE #greeting",
        "#reader = :reader",
        { ":number": number, ":bytes": bytes, ":reader": reader },
      );
      return row !== undefined;
    },
    async closeReading(connectionId, transportId) {
      await table.update(keys.connection(connectionId), "SET #closed = :transport", HAS_TRANSPORT, {
        ":transport": transportId,
      });
    },
  };
}
