// `@connections`: posts to transports, looks at them, ends them. One code path for HTTP and in-process requests.

import { API_GATEWAY } from "../apigateway/index.ts";
import type { FaultSwitches } from "./fault-switches.ts";
import type { ServiceRequest, ServiceResponse } from "./in-process-handler.ts";
import { decodePath } from "./requests.ts";
import type { Transport } from "./transport.ts";

/** What DELETE gives a client: the caller can choose neither code nor reason. */
const CLOSED_NORMALLY = { code: 1000, reason: "" };

/** The SDK finds an exception by this name. */
const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: "BadRequestException",
  403: "ForbiddenException",
  410: "GoneException",
  413: "PayloadTooLargeException",
  429: "LimitExceededException",
};

interface ConnectionsApiOptions {
  readonly transports: ReadonlyMap<string, Transport>;
  readonly faults: FaultSwitches;
  /** Path of the stage: what the requests' paths begin with. */
  readonly stagePath: string;
}

export type ConnectionsApi = (request: ServiceRequest) => Promise<ServiceResponse>;

export function connectionsApi({ transports, faults, stagePath }: ConnectionsApiOptions): ConnectionsApi {
  const prefix = `${stagePath}/@connections/`;

  return async ({ method, path, headers, body }) => {
    // Anything not addressed or not signed as AWS wants it is forbidden, and no more is said. Signatures are not
    // verified, but that one is demanded keeps web pages of other origins out.
    const isSigned = String(headers.authorization).startsWith("AWS4-HMAC-SHA256 ");
    if (!path.startsWith(prefix) || !isSigned) return failure(403, "Forbidden");
    const id = decodePath(path.slice(prefix.length));
    if (id === undefined) return failure(400, "Invalid connectionId");
    switch (method) {
      case "POST":
        return post(id, body);
      case "GET":
        return look(id);
      case "DELETE":
        return end(id);
      default:
        return failure(403, "Forbidden");
    }
  };

  function post(id: string, body: Buffer): ServiceResponse {
    const fault = faults.strikePost(id);
    if (fault !== undefined) return failure(fault, "A fault switch made this post fail.");
    if (body.length > API_GATEWAY.messageBytes) return failure(413, "Message too long");
    return transports.get(id)?.post(body) ? success(200) : failure(410);
  }

  function look(id: string): ServiceResponse {
    const transport = transports.get(id);
    if (transport === undefined) return failure(410);
    const { connectedAt, lastActiveAt, identity } = transport;
    return success(200, {
      connectedAt: new Date(connectedAt).toISOString(),
      lastActiveAt: new Date(lastActiveAt).toISOString(),
      identity,
    });
  }

  function end(id: string): ServiceResponse {
    const transport = transports.get(id);
    transport?.close(CLOSED_NORMALLY);
    return transport ? success(204) : failure(410);
  }
}

function success(statusCode: number, body?: object): ServiceResponse {
  if (body === undefined) return { statusCode, headers: {}, body: "" };
  return { statusCode, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/** 410 has no message on AWS either. */
function failure(statusCode: number, message?: string): ServiceResponse {
  const type = ERROR_TYPES[statusCode] ?? "InternalServerErrorException";
  const { headers, body } = success(statusCode, message === undefined ? undefined : { message });
  return { statusCode, headers: { ...headers, "x-amzn-ErrorType": type }, body };
}
