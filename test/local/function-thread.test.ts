import { MessageChannel } from "node:worker_threads";
import { expect, it, onTestFinished } from "vitest";
import { functionThread } from "../../lambdas/local/index.ts";
import type { FromFunction, ToFunction } from "../../lambdas/local/thread-messages.ts";
import { Arrivals } from "./local-gateway.ts";

/** A thread's end of the port, and the gateway's in the hand of a test. */
function open() {
  const { port1, port2 } = new MessageChannel();
  onTestFinished(() => port2.close());
  const heard = new Arrivals<FromFunction>();
  port2.on("message", (message: FromFunction) => heard.push(message));
  return { thread: functionThread(port1), heard, say: (message: ToFunction) => port2.postMessage(message) };
}

const event = (value: unknown): ToFunction => ({ kind: "event", event: value, requestId: "request", time: 1_000 });

it("is started by the gateway only", () => {
  expect(() => functionThread(null)).toThrow(TypeError);
});

it("handles events, also those that came before its handler", async () => {
  const { thread, heard, say } = open();
  say(event("early"));
  thread.handle(async (event) => `handled ${event}`);
  expect(await heard.next()).toEqual({ kind: "returned", result: "handled early" });
  say(event("late"));
  expect(await heard.next()).toEqual({ kind: "returned", result: "handled late" });
});

it.each([
  ["an error", new RangeError("No."), { name: "RangeError", message: "No.", code: undefined }],
  ["one with a code", Object.assign(new Error("No."), { code: "no" }), { name: "Error", message: "No.", code: "no" }],
  ["no error", "text", { name: "Error", message: "text" }],
])("reports %s that the handler throws", async (_title, thrown, error) => {
  const { thread, heard, say } = open();
  thread.handle(() => Promise.reject(thrown));
  say(event(undefined));
  expect(await heard.next()).toMatchObject({ kind: "threw", error });
});

it("reports a result that no thread can be told", async () => {
  const { thread, heard, say } = open();
  thread.handle(async () => () => undefined);
  say(event(undefined));
  expect(await heard.next()).toMatchObject({ kind: "threw", error: { name: "DataCloneError" } });
});

it("asks the gateway's thread, and takes each answer for its own request", async () => {
  const { thread, heard, say } = open();
  const { handle } = thread.requestHandler("dynamodb");
  const request = (body: string) => ({ method: "POST", path: "/", headers: { a: "b" }, body });
  const answers = [handle(request("one")), handle(request("two"))];
  const failed = expect(handle(request("three"))).rejects.toMatchObject({
    name: "TypeError",
    message: "No.",
    code: "no",
  });
  const ids = [];
  for (const body of ["one", "two", "three"]) {
    const asked = await heard.next();
    expect(asked).toMatchObject({ kind: "request", service: "dynamodb", request: request(body) });
    ids.push("id" in asked ? asked.id : -1);
  }
  const [one = 0, two = 0, three = 0] = ids;
  const response = (text: string) => ({ statusCode: 200, headers: {}, body: new Uint8Array(Buffer.from(text)) });
  say({ kind: "response", id: two, response: response("2") });
  say({ kind: "failure", id: three, error: { name: "TypeError", message: "No.", stack: undefined, code: "no" } });
  say({ kind: "response", id: one, response: response("1") });
  expect(await answers[0]).toEqual({ response: response("1") });
  expect(await answers[1]).toEqual({ response: response("2") });
  await failed;
});

it("writes lines before what it returns, and hears when it is to stop", async () => {
  const { thread, heard, say } = open();
  const stopped = new Promise<void>((resolve) => thread.onStop(resolve));
  thread.handle(async () => {
    thread.writeLog("{}");
    await stopped;
  });
  say(event(undefined));
  expect(await heard.next()).toEqual({ kind: "log", line: "{}" });
  say({ kind: "stop" });
  expect(await heard.next()).toMatchObject({ kind: "returned" });
});

it("tells its handler which request it is and how long it has", async () => {
  const { thread, heard, say } = open();
  thread.handle(async (_event, context) => [context.awsRequestId, context.getRemainingTimeInMillis() <= 1_000]);
  say(event(undefined));
  expect(await heard.next()).toEqual({ kind: "returned", result: ["request", true] });
});

it("sends a streamed response piece by piece, and waits for each to be taken", async () => {
  const { thread, heard, say } = open();
  let taken = 0;
  thread.handle(async (_event, _context, response) => {
    response.begin(200, { a: "b" });
    for (const piece of ["one", "two"]) {
      await response.write(piece);
      taken += 1;
    }
    response.end();
  });
  say(event(undefined));
  expect(await heard.next()).toEqual({ kind: "begin", status: 200, headers: { a: "b" } });
  for (const [count, piece] of ["one", "two"].entries()) {
    expect(await heard.next()).toEqual({ kind: "piece", text: piece });
    expect(taken).toBe(count);
    say({ kind: "taken" });
  }
  expect(await heard.next()).toEqual({ kind: "end" });
  expect(await heard.next()).toEqual({ kind: "returned", result: undefined });
});
