// Requests to a service with hubs for everyone, for members, for admins and for nobody.

import { defineHub, defineService, type ServiceOptions } from "signalr-lambda";
import { connectionTokens } from "../../lambdas/auth/index.ts";
import type { Authenticate, ClientRequest, LogFields, PostOutcome, Transports } from "../../lambdas/hub/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { FakeClock } from "../fake-clock.ts";
import { NO_RUNNERS } from "../no-workers.ts";
import { recordingLog } from "../recording-log.ts";
import { memoryTable } from "../suites/memory-store/index.ts";

const hubs = {
  chat: defineHub()({ methods: {} }),
  members: defineHub()({ methods: {}, authorize: true }),
  admins: defineHub()({ methods: {}, authorize: { roles: ["Admin", "Owner"] } }),
  nobodys: defineHub()({ methods: {}, authorize: { roles: [] } }),
};

const nowhere: Transports = {
  post: async (): Promise<PostOutcome> => "gone",
  close: async () => undefined,
  look: async () => "unknown",
};

/** What negotiate and connect need, and what they leave behind. */
export function admissionPorts({
  auth,
  ...options
}: Partial<Omit<ServiceOptions, "auth">> & { auth?: Authenticate } = {}) {
  const lines: LogFields[] = [];
  const clock = new FakeClock();
  const table = memoryTable();
  const tokens = connectionTokens("the secret of connection tokens");
  let ids = 0;
  const ports = {
    service: defineService({ hubs, ...options }),
    authenticate: auth,
    log: recordingLog(lines),
    clock,
    tokens,
    store: table.store(),
    transports: nowhere,
    dialect: core,
    runners: NO_RUNNERS,
    random: { id: () => `id-${++ids}` },
  };
  return { ports, lines, clock, tokens, table };
}

export function requestFor(request: Partial<ClientRequest> = {}): ClientRequest {
  return { hubPath: "chat", headers: {}, query: {}, sourceIp: "127.0.0.1", ...request };
}
