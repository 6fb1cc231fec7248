import { HttpTransportType } from "@microsoft/signalr";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { defineHub } from "signalr-lambda";
import { expect, it } from "vitest";
import { RunningClock } from "./running-clock.ts";
import { start } from "./running-service.ts";

const hub = defineHub()({
  methods: {
    echo: (_hub: any, value: unknown) => value,
    join: (hub: any, g: string) => hub.groups.add(g),
    say: (hub: any, g: string, text: unknown) => hub.clients.group(g).hear(text),
    ask: (hub: any) => hub.clients.caller.invoke("confirm", ["Sure?"]),
    count: async function* (_hub: any, n: number) {
      for (let i = 0; i < n; i++) yield i;
    },
  },
});
it.each([
  ["lp", HttpTransportType.LongPolling, false],
  ["sse", HttpTransportType.ServerSentEvents, false],
  ["mp", undefined, true],
] as const)("%s", async (_n, transport, binary) => {
  const service = await start({ hubs: { chat: hub } }, new RunningClock());
  let b = service.build("/chat", transport === undefined ? {} : { transport });
  if (binary) b = b.withHubProtocol(new MessagePackHubProtocol());
  const c = service.track(b.build());
  const heard: unknown[] = [];
  c.on("hear", (t) => void heard.push(t));
  c.on("confirm", (q) => `yes ${q}`);
  await c.start();
  console.log((c as any).connection.transport.constructor.name);
  console.log("started", Date.now() % 100000);
  expect(await c.invoke("echo", "hällo")).toBe("hällo");
  await c.invoke("join", "g");
  for (let i = 0; i < 5; i++) c.send("say", "g", i);
  expect(await c.invoke("ask")).toBe("yes Sure?");
  const items: unknown[] = [];
  await new Promise<void>((resolve, reject) =>
    c.stream("count", 3).subscribe({ next: (i) => items.push(i), complete: resolve, error: reject }),
  );
  expect(items).toEqual([0, 1, 2]);
  if (binary) expect(await c.invoke("echo", new Uint8Array([1, 200]))).toEqual(new Uint8Array([1, 200]));
  console.log("stopping", Date.now() % 100000);
  await c.stop();
  console.log("stopped");
  expect(heard).toEqual([0, 1, 2, 3, 4]);
  await new Promise((r) => setTimeout(r, 1000));
  console.log("closing", Date.now() % 100000);
  await service.close();
  console.log("closed", Date.now() % 100000);
});
