import { it } from "vitest";
import { recordedHub } from "./recorded-hub.ts";
import { VirtualTime } from "./virtual-time.ts";

const KEY = "0123456789abcdef0123456789abcdef";
it("x", async () => {
  const hub = recordedHub();
  const time = await VirtualTime.serve({ hubs: hub.hubs });
  const { service, network } = time;
  const builder = service
    .build(`/chat?resume=${KEY}`, network.options)
    .withAutomaticReconnect()
    .withStatefulReconnect();
  const connection = service.track(builder.build());
  await time.until(connection.start());
  await time.pass(60_000);
  const t0 = Date.now();
  network.shut();
  service.server.faults.halfOpen(service.server.transports()[0]?.id ?? "");
  for (let s = 0; s < 75; s += 5) {
    await time.pass(5000);
    const { Items = [] } = await service.server.table.client.send(
      new (await import("@aws-sdk/client-dynamodb")).ScanCommand({ TableName: service.server.table.name }),
    );
    console.log(
      s + 5,
      Items.filter((i) => i.pk?.S?.startsWith("T#") || i.pk?.S === "SWEEP")
        .map((i) =>
          JSON.stringify([
            i.phase?.S,
            i.lost?.BOOL,
            i.next?.S,
            i.lastTick?.N && (Number(i.lastTick.N) - t0) / 1000,
            i.notBefore?.N && (Number(i.notBefore.N) - t0) / 1000,
            (Number(i.deadline?.N) - t0) / 1000,
          ]),
        )
        .join(" "),
      hub.names().join(),
      service.lines.all.map((l) => l.message).join(),
    );
  }
});
