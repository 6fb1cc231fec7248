// One host for everything: what clients send goes through the edge function to the origin that it is for, and hubs
// believe nothing that came around it.

import { HttpTransportType } from "@microsoft/signalr";
import { defineHub } from "signalr-lambda";
import { expect, it } from "vitest";
import { serve } from "./running-service.ts";

const hubs = () => ({ chat: defineHub()({ methods: { echo: (_hub, text: string) => text } }) });

it("serves negotiation and sockets to pages of the host that they asked, and to no others", async () => {
  const service = await serve({ hubs: hubs() });
  const origin = service.url;
  expect((await service.negotiate("?negotiateVersion=1", { headers: { origin } })).status).toBe(200);
  expect((await service.negotiate("?negotiateVersion=1", { headers: { origin: "http://evil.test" } })).status).toBe(
    403,
  );
  await service.open("/chat", { headers: { origin } });
  await expect(service.open("/chat", { headers: { origin: "http://evil.test" } })).rejects.toThrow("403");
});

it("is not fooled by a client that says which host it asked", async () => {
  const service = await serve({ hubs: hubs() });
  const headers = { origin: "http://evil.test", "x-forwarded-host": "evil.test" };
  expect((await service.negotiate("?negotiateVersion=1", { headers })).status).toBe(403);
  await expect(service.open("/chat", { headers })).rejects.toThrow("403");
});

it("serves no socket around the distribution", async () => {
  const service = await serve({ hubs: hubs() });
  const stage = `${new URL(service.server.callbackUrl).pathname}?hub=chat`;
  await expect(service.open(stage)).rejects.toThrow("403");
  await expect(service.open(stage, { headers: { "x-origin-verify": "guess" } })).rejects.toThrow("403");
  await service.open("/chat");
});

it("has hubs see the client's own address and none of what proves the way it came", async () => {
  const seen: unknown[] = [];
  const service = await serve({
    hubs: hubs(),
    auth: (request) => {
      seen.push([request.sourceIp, Object.keys(request.headers).filter((name) => /verify|viewer/.test(name))]);
      return null;
    },
  });
  await service.connect();
  expect(seen).toEqual([
    ["127.0.0.1", []],
    ["127.0.0.1", []],
  ]);
});

it("lets no client say in the query which hub it means", async () => {
  const service = await serve({ hubs: { ...hubs(), other: defineHub()({ methods: { echo: () => "other" } }) } });
  const connection = await service.connect("/chat?hub=other&HUB=other&h%75b=other");
  expect(await connection.invoke("echo", "chat")).toBe("chat");
});

it("sends stock clients of the other transports where those will be", async () => {
  const service = await serve({ hubs: hubs() });
  const answers = async (init: RequestInit) => {
    const response = await fetch(`${service.url}/chat?id=none`, init);
    return [response.status, await response.text()];
  };
  const none = [404, "No Connection with that ID"];
  expect(await answers({ headers: { "x-requested-with": "XMLHttpRequest" } })).toEqual(none);
  expect(await answers({ method: "POST", body: "{}" })).toEqual(none);
  expect(await answers({ method: "DELETE" })).toEqual(none);
  expect(await answers({ headers: { accept: "text/event-stream" } })).toEqual(none);
  expect((await answers({ method: "PUT", body: "{}" }))[0]).toBe(405);
});

it("shows a client whose network lets no sockets pass what it would meet", async () => {
  const service = await serve({ hubs: hubs() });
  service.server.faults.blockSockets(Number.POSITIVE_INFINITY);
  const connection = service.track(service.build("/chat", { transport: HttpTransportType.WebSockets }).build());
  await expect(connection.start()).rejects.toThrow(/WebSocket failed to connect/);
  service.server.faults.reset();
  await connection.start();
  expect(await connection.invoke("echo", "x")).toBe("x");
});
