import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConnectEvent, DisconnectEvent, HttpEvent, MessageEvent } from "../../lambdas/apigateway/index.ts";
import {
  toConnectRequest,
  toDisconnect,
  toFrame,
  toNegotiateRequest,
  toRefreshRequest,
} from "../../lambdas/aws/index.ts";

const CONNECTED_AT = Date.UTC(2026, 0, 1);

const context = {
  extendedRequestId: "request",
  requestId: "request",
  requestTime: "01/Jan/2026:00:00:00 +0000",
  requestTimeEpoch: CONNECTED_AT + 5,
  messageDirection: "IN",
  stage: "live",
  connectedAt: CONNECTED_AT,
  identity: { sourceIp: "192.0.2.1" },
  domainName: "api.test",
  apiId: "api",
  connectionId: "transport=",
} as const;

function connectEvent(given: Partial<ConnectEvent> = {}): ConnectEvent {
  return {
    headers: {},
    multiValueHeaders: {},
    requestContext: { ...context, routeKey: "$connect", eventType: "CONNECT" },
    isBase64Encoded: false,
    ...given,
  };
}

function messageEvent(body: string | undefined): MessageEvent {
  const requestContext = { ...context, routeKey: "$default", eventType: "MESSAGE", messageId: "message=" } as const;
  // The gateway leaves the body of an empty frame out.
  return { requestContext, isBase64Encoded: false, ...(body !== undefined && { body }) } as MessageEvent;
}

function disconnectEvent(disconnectStatusCode?: number): DisconnectEvent {
  return {
    headers: {},
    multiValueHeaders: {},
    requestContext: {
      ...context,
      routeKey: "$disconnect",
      eventType: "DISCONNECT",
      ...(disconnectStatusCode !== undefined && { disconnectStatusCode }),
    },
    isBase64Encoded: false,
  };
}

function httpEvent(rawPath: string, given: Partial<HttpEvent> = {}): HttpEvent {
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath,
    rawQueryString: "",
    headers: {},
    requestContext: {
      accountId: "1",
      apiId: "api",
      domainName: "api.test",
      domainPrefix: "api",
      http: { method: "POST", path: rawPath, protocol: "HTTP/1.1", sourceIp: "192.0.2.1", userAgent: "test" },
      requestId: "request",
      routeKey: "$default",
      stage: "live",
      time: "01/Jan/2026:00:00:00 +0000",
      timeEpoch: CONNECTED_AT,
    },
    isBase64Encoded: false,
    ...given,
  };
}

/** As an event has it after JSON: `__proto__` an own property like any other. */
function parsed(names: readonly string[]): Record<string, string> {
  return JSON.parse(`{${names.map((name) => `${JSON.stringify(name)}:"value"`).join(",")}}`);
}

const HOSTILE_NAMES = ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"];

describe("toConnectRequest", () => {
  it("takes the hub from the query, and everything else as it is", () => {
    const event = connectEvent({
      headers: { Host: "api.test", Authorization: "Bearer x", "X-UPPER": "Value" },
      queryStringParameters: { hub: "hubs/chat", id: "token", Room: "1" },
    });
    const { query, headers, ...request } = toConnectRequest(event);
    expect(request).toEqual({ transportId: "transport=", hubPath: "hubs/chat", sourceIp: "192.0.2.1" });
    expect({ ...query }).toEqual({ id: "token", Room: "1" });
    expect({ ...headers }).toEqual({ host: "api.test", authorization: "Bearer x", "x-upper": "Value" });
  });

  it.each<[string, ConnectEvent["queryStringParameters"], string]>([
    ["no query", undefined, ""],
    ["no hub", { id: "token" }, ""],
    ["a hub without a value", { hub: undefined }, ""],
    ["an empty hub", { hub: "" }, ""],
    ["slashes around it", { hub: "/hubs/chat/" }, "hubs/chat"],
    ["many slashes around it", { hub: "///chat///" }, "chat"],
    ["slashes alone", { hub: "//" }, ""],
    ["the parameter in another case, which is the application's", { Hub: "chat" }, ""],
  ])("finds the hub's path with %s", (_title, query, hubPath) => {
    const event = connectEvent(query === undefined ? {} : { queryStringParameters: query });
    expect(toConnectRequest(event).hubPath).toBe(hubPath);
  });

  it("finds nothing that was inherited, and loses no name", () => {
    const request = toConnectRequest(
      connectEvent({ headers: parsed(HOSTILE_NAMES), queryStringParameters: parsed([...HOSTILE_NAMES, "hub"]) }),
    );
    for (const values of [request.headers, request.query]) {
      expect(Object.getPrototypeOf(values)).toBeNull();
      expect(values.__defineGetter__).toBeUndefined();
    }
    for (const name of HOSTILE_NAMES) {
      expect(request.query[name]).toBe("value");
      expect(request.headers[name.toLowerCase()]).toBe("value");
    }
    expect(Object.keys(request.query)).not.toContain("hub");
  });

  it("lets the event be (property)", () => {
    const values = fc.dictionary(fc.string(), fc.string());
    fc.assert(
      fc.property(values, values, (headers, queryStringParameters) => {
        const event = connectEvent({ headers, queryStringParameters });
        const before = structuredClone(event);
        toConnectRequest(event);
        expect(event).toEqual(before);
      }),
    );
  });
});

describe("toFrame", () => {
  it.each([
    ["its text", '{"type":6}\u001e', '{"type":6}\u001e'],
    ["text of every plane", "\u0000é😀", "\u0000é😀"],
    ["an empty text for an empty frame", "", ""],
    ["an empty text when the gateway leaves it out", undefined, ""],
  ])("carries %s", (_title, body, text) => {
    expect(toFrame(messageEvent(body))).toEqual({
      transportId: "transport=",
      messageId: "message=",
      text,
      receivedAt: CONNECTED_AT + 5,
    });
  });
});

describe("toDisconnect", () => {
  it.each([
    [1000, 1000],
    [1001, 1001],
    [1005, 1005],
    [1009, 1009],
    [undefined, 1006],
  ])("reads code %s as %d", (given, code) => {
    expect(toDisconnect(disconnectEvent(given))).toEqual({
      transportId: "transport=",
      code,
      connectedAt: CONNECTED_AT,
    });
  });
});

describe("toRefreshRequest", () => {
  it.each([
    ["/chat/refresh", "chat"],
    ["/hubs/chat/Refresh/", "hubs/chat"],
    ["/refresh/refresh", "refresh"],
  ])("reads %s as the hub '%s'", (rawPath, hubPath) => {
    expect(toRefreshRequest(httpEvent(rawPath))?.hubPath).toBe(hubPath);
    expect(toNegotiateRequest(httpEvent(rawPath))).toBeUndefined();
  });

  it.each(["/", "", "/refresh", "//refresh", "/chat/refreshed", "/chat/refresh/x", "/chat/negotiate"])(
    "answers nothing for %s",
    (rawPath) => {
      expect(toRefreshRequest(httpEvent(rawPath))).toBeUndefined();
    },
  );
});

describe("toNegotiateRequest", () => {
  it.each([
    ["/chat/negotiate", "chat"],
    ["/hubs/chat/negotiate", "hubs/chat"],
    ["/chat/negotiate/", "chat"],
    ["//chat/negotiate", "chat"],
    ["/Chat/Negotiate", "Chat"],
    ["/negotiate", ""],
    ["/negotiate/negotiate", "negotiate"],
  ])("reads %s as the hub '%s'", (rawPath, hubPath) => {
    expect(toNegotiateRequest(httpEvent(rawPath))?.hubPath).toBe(hubPath);
  });

  it.each(["/", "", "/chat", "/chat/negotiated", "/chat/negotiate/x", "/chatnegotiate", "/chat/negotiate?"])(
    "answers nothing for %s",
    (rawPath) => {
      expect(toNegotiateRequest(httpEvent(rawPath))).toBeUndefined();
    },
  );

  it("carries method, address, headers in lower case, query and cookies", () => {
    const request = toNegotiateRequest(
      httpEvent("/chat/negotiate", {
        headers: { origin: "https://app.test", "X-Requested-With": "XMLHttpRequest" },
        cookies: ["a=1", "b=2"],
        queryStringParameters: { negotiateVersion: "1" },
      }),
    );
    expect(request).toMatchObject({ method: "POST", sourceIp: "192.0.2.1" });
    expect({ ...request?.headers }).toEqual({
      origin: "https://app.test",
      "x-requested-with": "XMLHttpRequest",
      cookie: "a=1; b=2",
    });
    expect({ ...request?.query }).toEqual({ negotiateVersion: "1" });
  });

  it("has no cookie header where there are no cookies", () => {
    expect(toNegotiateRequest(httpEvent("/chat/negotiate"))?.headers).not.toHaveProperty("cookie");
  });

  it("finds nothing that was inherited, and loses no name", () => {
    const request = toNegotiateRequest(
      httpEvent("/chat/negotiate", { headers: parsed(HOSTILE_NAMES), queryStringParameters: parsed(HOSTILE_NAMES) }),
    );
    for (const name of HOSTILE_NAMES) {
      expect(request?.query[name]).toBe("value");
      expect(request?.headers[name.toLowerCase()]).toBe("value");
    }
    expect(request?.query.__defineGetter__).toBeUndefined();
  });
});
