import { defineHub, defineService } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import type { HttpEvent, MessageEvent } from "../lambdas/apigateway/index.ts";
import { messageHandler, negotiateHandler } from "../lambdas/handlers.ts";
import type { Log, NegotiatePorts, RefreshPorts, ServerPorts, Transports } from "../lambdas/hub/index.ts";
import { core } from "../lambdas/protocol/index.ts";
import { systemRandom } from "../lambdas/system.ts";
import { FakeClock } from "./fake-clock.ts";
import { NO_WORKERS } from "./no-workers.ts";

const service = defineService({ hubs: { chat: defineHub()({ methods: {} }) } });

function recordingLog(lines: string[]): Log {
  const write = (message: string) => void lines.push(message);
  const log: Log = { debug: write, info: write, warn: write, error: write, with: () => log };
  return log;
}

const frame = {
  body: '{"type":1,"target":"x","arguments":[]}\u001e',
  requestContext: { connectionId: "transport", messageId: "m", requestTimeEpoch: 0 },
} as MessageEvent;

describe("the message handler", () => {
  const broken = (transports: Transports, lines: string[]): ServerPorts => ({
    service,
    transports,
    log: recordingLog(lines),
    clock: new FakeClock(),
    random: systemRandom,
    dialect: core,
    workers: NO_WORKERS,
    store: new Proxy({} as ServerPorts["store"], { get: () => () => Promise.reject(new Error("DynamoDB is down.")) }),
  });

  it("says goodbye instead of throwing when DynamoDB fails: a throw would put API Gateway's own JSON on the wire", async () => {
    const lines: string[] = [];
    const done: string[] = [];
    const transports: Transports = {
      post: async (id, text) => {
        done.push(`${id} ${text}`);
        return "accepted";
      },
      close: async (id) => void done.push(`close ${id}`),
      look: async () => "unknown",
    };
    expect(await messageHandler(broken(transports, lines))(frame)).toEqual({ statusCode: 200 });
    expect(done).toEqual([
      'transport {"type":7,"error":"Connection closed with an error.","allowReconnect":true}\u001e',
      "close transport",
    ]);
    expect(lines).toEqual([
      "A frame could not be handled; its connection is closed.",
      "A connection could not be marked to end.",
    ]);
  });

  it("does not throw either when the goodbye fails", async () => {
    const lines: string[] = [];
    const fail = () => Promise.reject(new Error("No network."));
    expect(await messageHandler(broken({ post: fail, close: fail, look: fail }, lines))(frame)).toEqual({
      statusCode: 200,
    });
    expect(lines).toHaveLength(3);
  });
});

describe("the negotiate handler", () => {
  it.each(["/", "/chat", "/negotiate/chat", "/chat/negotiate/x", "/refresh", "/refresh/chat"])(
    "answers 404 at %s",
    async (rawPath) => {
      const event = { rawPath, headers: {}, requestContext: { http: { method: "POST" } } } as HttpEvent;
      expect(await negotiateHandler({ service } as NegotiatePorts & RefreshPorts)(event)).toMatchObject({
        statusCode: 404,
      });
    },
  );
});
