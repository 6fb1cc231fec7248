import {
  ApiGatewayManagementApiClient,
  ApiGatewayManagementApiServiceException,
  DeleteConnectionCommand,
  GetConnectionCommand,
  GoneException,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import { mockClient } from "aws-sdk-client-mock";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { apiGatewayTransports } from "../../lambdas/aws/index.ts";
import type { Clock, Log } from "../../lambdas/hub/index.ts";

/** Records how long it was asked to wait, and waits for nothing. */
class RecordingClock implements Clock {
  readonly pauses: number[] = [];

  now(): number {
    return 0;
  }

  async sleep(milliseconds: number): Promise<void> {
    this.pauses.push(milliseconds);
  }
}

const ATTEMPTS = 5;
const client = new ApiGatewayManagementApiClient({ endpoint: "https://gateway.test/stage", region: "local" });
const gateway = mockClient(client);

function open() {
  const clock = new RecordingClock();
  const errors: string[] = [];
  const log: Log = {
    debug() {},
    info() {},
    warn() {},
    error: (message) => errors.push(message),
    with: () => log,
  };
  return { clock, errors, transports: apiGatewayTransports({ client, clock, log }) };
}

function failure(name: string, status: number): ApiGatewayManagementApiServiceException {
  const metadata = { httpStatusCode: status };
  return new ApiGatewayManagementApiServiceException({ name, $fault: "client", $metadata: metadata, message: name });
}

/** As the SDK hands it on: it calls some a time-out that are none. */
function networkError(name: "Error" | "TimeoutError", code?: string, syscall?: string): Error {
  const $metadata = { attempts: 1, totalRetryDelay: 0 };
  return Object.assign(new Error(code ?? name), { name, code, syscall, $metadata });
}

const gone = new GoneException({ $metadata: { httpStatusCode: 410 }, message: "Gone" });

const TRANSIENT: readonly [string, Error][] = [
  ["429", failure("LimitExceededException", 429)],
  ["500", failure("InternalServerError", 500)],
  ["503", failure("ServiceUnavailable", 503)],
  ["504", failure("GatewayTimeout", 504)],
  ["a kept-alive socket that was reset", networkError("TimeoutError", "ECONNRESET", "read")],
  ["a kept-alive socket that was closed", networkError("TimeoutError", "EPIPE", "write")],
  ["a connection refused", networkError("Error", "ECONNREFUSED", "connect")],
  ["a name that does not resolve", networkError("Error", "ENOTFOUND", "getaddrinfo")],
  ["a connection not made in the SDK's time", networkError("TimeoutError")],
  ["a connection not made in the system's time", networkError("TimeoutError", "ETIMEDOUT", "connect")],
];

const UNANSWERED: readonly [string, Error][] = [
  ["a request not answered in the SDK's time", networkError("TimeoutError", "ETIMEDOUT")],
  ["a request not answered in the system's time", networkError("TimeoutError", "ETIMEDOUT", "read")],
];

const FINAL: readonly [string, Error][] = [
  ["400", failure("BadRequestException", 400)],
  ["403", failure("ForbiddenException", 403)],
  ["413", failure("PayloadTooLargeException", 413)],
];

beforeEach(() => {
  gateway.reset();
});
afterEach(() => {
  vi.restoreAllMocks();
});

describe("post", () => {
  it("hands the text to the gateway for that transport", async () => {
    gateway.on(PostToConnectionCommand).resolves({});
    expect(await open().transports.post("A=", "{}\u001e")).toBe("accepted");
    expect(gateway.commandCalls(PostToConnectionCommand).map((call) => call.args[0].input)).toEqual([
      { ConnectionId: "A=", Data: "{}\u001e" },
    ]);
  });

  it("is gone after a 410, at once and without a word", async () => {
    gateway.on(PostToConnectionCommand).rejects(gone);
    const { transports, clock, errors } = open();
    expect(await transports.post("A=", "x")).toBe("gone");
    expect(gateway.calls()).toHaveLength(1);
    expect(clock.pauses).toEqual([]);
    expect(errors).toEqual([]);
  });

  it("is gone after a 410 that follows a 429", async () => {
    gateway.on(PostToConnectionCommand).rejectsOnce(failure("LimitExceededException", 429)).rejects(gone);
    expect(await open().transports.post("A=", "x")).toBe("gone");
    expect(gateway.calls()).toHaveLength(2);
  });

  it.each(TRANSIENT)("is tried again after %s", async (_title, error) => {
    gateway.on(PostToConnectionCommand).rejectsOnce(error).rejectsOnce(error).resolves({});
    const { transports, clock, errors } = open();
    expect(await transports.post("A=", "x")).toBe("accepted");
    expect(gateway.calls()).toHaveLength(3);
    expect(clock.pauses).toHaveLength(2);
    expect(errors).toEqual([]);
  });

  it.each(TRANSIENT)("fails when %s goes on, and says so once", async (_title, error) => {
    gateway.on(PostToConnectionCommand).rejects(error);
    const { transports, clock, errors } = open();
    expect(await transports.post("A=", "x")).toBe("failed");
    expect(gateway.calls()).toHaveLength(ATTEMPTS);
    expect(clock.pauses).toHaveLength(ATTEMPTS - 1);
    expect(errors).toEqual(["PostToConnection failed."]);
  });

  // What may have arrived must not arrive twice.
  it.each([...FINAL, ...UNANSWERED])("fails at once after %s", async (_title, error) => {
    gateway.on(PostToConnectionCommand).rejects(error);
    const { transports, clock, errors } = open();
    expect(await transports.post("A=", "x")).toBe("failed");
    expect(gateway.calls()).toHaveLength(1);
    expect(clock.pauses).toEqual([]);
    expect(errors).toHaveLength(1);
  });

  it.each([
    ["nothing", 0, [0, 0, 0, 0]],
    ["half", 0.5, [25, 50, 100, 200]],
    ["nearly all", 0.999, [49.95, 99.9, 199.8, 399.6]],
  ])("pauses for %s of 50 ms, doubled each time", async (_title, drawn, pauses) => {
    vi.spyOn(Math, "random").mockReturnValue(drawn);
    gateway.on(PostToConnectionCommand).rejects(failure("LimitExceededException", 429));
    const { transports, clock } = open();
    await transports.post("A=", "x");
    clock.pauses.forEach((pause, index) => {
      expect(pause).toBeCloseTo(pauses[index] ?? Number.NaN, 5);
    });
    expect(clock.pauses).toHaveLength(pauses.length);
  });

  it("draws every pause anew, so that clients throttled together do not come back together", async () => {
    gateway.on(PostToConnectionCommand).rejects(failure("LimitExceededException", 429));
    const { transports, clock } = open();
    await Promise.all(Array.from({ length: 10 }, (_, index) => transports.post(`T${index}`, "x")));
    expect(new Set(clock.pauses).size).toBe(10 * (ATTEMPTS - 1));
  });

  it("gives every transport attempts of its own", async () => {
    gateway.on(PostToConnectionCommand, { ConnectionId: "slow" }).rejects(failure("LimitExceededException", 429));
    gateway
      .on(PostToConnectionCommand, { ConnectionId: "unlucky" })
      .rejectsOnce(failure("InternalServerError", 500))
      .rejectsOnce(failure("InternalServerError", 500))
      .rejectsOnce(failure("InternalServerError", 500))
      .rejectsOnce(failure("InternalServerError", 500))
      .resolves({});
    const { transports } = open();
    const slow = Array.from({ length: 20 }, () => transports.post("slow", "x"));
    expect(await transports.post("unlucky", "x")).toBe("accepted");
    expect(new Set(await Promise.all(slow))).toEqual(new Set(["failed"]));
    expect(gateway.commandCalls(PostToConnectionCommand, { ConnectionId: "slow" })).toHaveLength(20 * ATTEMPTS);
  });
});

describe("close", () => {
  it("deletes the connection", async () => {
    gateway.on(DeleteConnectionCommand).resolves({});
    await open().transports.close("A=");
    expect(gateway.commandCalls(DeleteConnectionCommand).map((call) => call.args[0].input)).toEqual([
      { ConnectionId: "A=" },
    ]);
  });

  it("of a transport that is closed already is no error", async () => {
    gateway.on(DeleteConnectionCommand).resolvesOnce({}).rejects(gone);
    const { transports, errors } = open();
    await transports.close("A=");
    await transports.close("A=");
    expect(gateway.calls()).toHaveLength(2);
    expect(errors).toEqual([]);
  });

  it.each([...TRANSIENT, ...UNANSWERED])("is tried again after %s", async (_title, error) => {
    gateway.on(DeleteConnectionCommand).rejectsOnce(error).resolves({});
    const { transports, errors } = open();
    await transports.close("A=");
    expect(gateway.calls()).toHaveLength(2);
    expect(errors).toEqual([]);
  });

  it.each(FINAL)("that fails with %s is reported and never thrown", async (_title, error) => {
    gateway.on(DeleteConnectionCommand).rejects(error);
    const { transports, errors } = open();
    await transports.close("A=");
    expect(gateway.calls()).toHaveLength(1);
    expect(errors).toEqual(["DeleteConnection failed."]);
  });
});

describe("look", () => {
  it("says whether the gateway has a socket", async () => {
    gateway.on(GetConnectionCommand, { ConnectionId: "A=" }).resolves({});
    gateway.on(GetConnectionCommand, { ConnectionId: "B=" }).rejects(gone);
    const { transports, errors } = open();
    expect([await transports.look("A="), await transports.look("B=")]).toEqual(["open", "gone"]);
    expect(errors).toEqual([]);
  });

  it.each([...TRANSIENT, ...UNANSWERED])("is tried again after %s", async (_title, error) => {
    gateway.on(GetConnectionCommand).rejectsOnce(error).resolves({});
    expect(await open().transports.look("A=")).toBe("open");
  });

  it.each(FINAL)("says that nobody knows after %s", async (_title, error) => {
    gateway.on(GetConnectionCommand).rejects(error);
    const { transports, errors } = open();
    expect(await transports.look("A=")).toBe("unknown");
    expect(errors).toEqual(["GetConnection failed."]);
  });
});
