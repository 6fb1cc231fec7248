// POST {hub}/negotiate: hands out a connection, or the one that a resume key belongs to. Nothing is stored, the signed
// token carries it all.
// https://github.com/dotnet/aspnetcore/blob/main/src/SignalR/docs/specs/TransportProtocols.md#post-endpoint-basenegotiate-request

import { type Admission, type AdmissionPorts, admit, isRefusal, queryValue } from "./admission.ts";
import { answerPreflight, corsHeaders } from "./cors.ts";
import { offeredTransports } from "./offered-transports.ts";
import type { ClientRequest, Clock, ConnectionTokens, Random } from "./ports.ts";
import { isRaw } from "./protocols.ts";
import { resumeKeyOf } from "./resume.ts";
import type { Store } from "./store.ts";

export interface NegotiatePorts extends AdmissionPorts {
  readonly tokens: ConnectionTokens;
  readonly clock: Clock;
  readonly random: Random;
  readonly store: Pick<Store, "connectionOfKey">;
}

export interface HttpRequest extends ClientRequest {
  readonly method: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Whether the body has a character a byte. @default false: it is text */
  readonly isBinary?: boolean;
}

const TEXT = { "content-type": "text/plain" };
const NOTHING_FOR_JAVA =
  "The Java client sends binary frames only, which need LongPolling, and this hub's `transports` are without it.";

export async function negotiate(ports: NegotiatePorts, request: HttpRequest): Promise<HttpResponse> {
  const preflight = answerPreflight(ports, request);
  if (preflight !== undefined) return preflight;
  const cors = corsHeaders(ports.service, request);
  if (request.method !== "POST")
    return { status: 405, headers: { ...TEXT, ...cors, allow: "POST" }, body: "Method not allowed" };
  const admission = await admit(ports, request);
  if (isRefusal(admission)) {
    return { status: admission.status, headers: { ...TEXT, ...cors }, body: admission.body };
  }
  const version = parseVersion(queryValue(request.query, "negotiateVersion"));
  const answer = "error" in version ? version : await offer(ports, version.version, request, admission);
  return { status: 200, headers: { "content-type": "application/json", ...cors }, body: JSON.stringify(answer) };
}

async function offer(
  ports: NegotiatePorts,
  version: number,
  request: HttpRequest,
  { hub, userIdentifier }: Admission,
): Promise<object> {
  const availableTransports = offeredTransports(hub, request);
  if (availableTransports.length === 0) return { error: NOTHING_FOR_JAVA };
  const resumeKey = await resumeKeyOf(ports, request, hub.path, userIdentifier);
  const known = resumeKey === undefined ? undefined : await ports.store.connectionOfKey(resumeKey);
  const connectionId = known ?? ports.random.id();
  const asks = queryValue(request.query, "useStatefulReconnect")?.toLowerCase() === "true";
  // A client that was granted it once would never work again without, and only sockets have it.
  const stateful = asks && version > 0 && hub.options.transports.includes("WebSockets") && !isRaw(hub.definition);
  const token = await ports.tokens.issue({
    hub: hub.path,
    connectionId,
    stateful,
    ...(userIdentifier !== undefined && { userIdentifier }),
    issuedAt: ports.clock.now(),
  });
  // Version 0 knows one id only, and connects with it.
  if (version === 0) return { negotiateVersion: 0, connectionId: token, availableTransports };
  const granted = stateful ? { useStatefulReconnect: true } : {};
  return { negotiateVersion: 1, connectionId, connectionToken: token, ...granted, availableTransports };
}

function parseVersion(text: string | undefined): { readonly version: 0 | 1 } | { readonly error: string } {
  if (text === undefined) return { version: 0 };
  const version = /^[+-]?\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  // The reference reads an Int32.
  if (version !== (version | 0)) {
    return { error: `The client requested an invalid protocol version '${text}'` };
  }
  if (version < 0) {
    return { error: `The client requested version '${version}', but the server does not support this version.` };
  }
  return { version: version === 0 ? 0 : 1 };
}
