// DynamoDB that throttles, fails, and loses its answers: one request after the other, while clients come, talk, are
// cut, resume and go.

import { describe, expect, it } from "vitest";
import { disorder, recordedHub } from "./recorded-hub.ts";
import { resumableClient } from "./resumable-client.ts";
import { VirtualTime } from "./virtual-time.ts";

const POINTS = 75;

/** As the SDK makes them of what DynamoDB answers, or does not. */
const FAULTS = {
  throttled: () =>
    Object.assign(new Error("Throttled."), {
      name: "ProvisionedThroughputExceededException",
      $metadata: { httpStatusCode: 400 },
    }),
  "cut off": () =>
    Object.assign(new Error("read ECONNRESET"), { name: "TimeoutError", code: "ECONNRESET", $metadata: {} }),
} as const;

describe("a request to the table that is", () => {
  it.each([
    ["throttled", "before it is made"],
    ["cut off", "after it was made"],
  ] as const)("%s, %s, is nobody's business", async (fault, when) => {
    const hub = recordedHub();
    const time = await VirtualTime.serve({ hubs: hub.hubs });
    const { service } = time;
    let failIn = Number.POSITIVE_INFINITY;
    service.eachTableClient((client) =>
      client.middlewareStack.add(
        (next) => async (args) => {
          failIn -= 1;
          if (failIn !== 0) return next(args);
          if (when === "after it was made") await next(args);
          throw FAULTS[fault]();
        },
        // Below the SDK's retries.
        { step: "finalizeRequest", priority: "low", name: "tableFaults" },
      ),
    );
    for (let point = 1; point <= POINTS; point++) {
      const { connection, noticed, told } = resumableClient(time, `point ${point}`);
      failIn = point;
      await time.until(connection.start());
      const { connectionId } = connection;
      await time.until(connection.invoke("join", "room"));
      service.server.faults.cut(service.server.transports().at(-1)?.id ?? "");
      expect(await time.until(connection.invoke("echo", point)), `point ${point}`).toBe(point);
      await time.until(connection.invoke("tell", "room", point));
      expect(await time.until(told.next()), `point ${point}`).toEqual([point]);
      expect(connection.connectionId).toBe(connectionId);
      expect(noticed, `point ${point}`).toEqual([]);
      await time.until(connection.stop());
      for (let events = 0; events < 3; events++) await time.until(hub.events.next());
      expect(hub.names(connectionId), `point ${point}`).toEqual([
        "connected",
        "reconnected",
        "disconnected true undefined",
      ]);
    }
    expect(hub.runs).toEqual(Array.from({ length: POINTS }, (_, index) => index + 1));
    expect(disorder(hub.events.all)).toBeUndefined();
  });
});
