// The port to Lambda's response streams, with streams in the place of the runtime's.

import { PassThrough, Writable } from "node:stream";
import { expect, it } from "vitest";
import type { FunctionContext, HttpEvent, StreamedResponse } from "../lambdas/apigateway/index.ts";
import { streamingHandler } from "../lambdas/response-stream.ts";

const EVENT = { rawPath: "/" } as HttpEvent;
const CONTEXT: FunctionContext = { awsRequestId: "request", getRemainingTimeInMillis: () => 1 };
const HEADERS = { "content-type": "text/event-stream" };

/** Invokes a function as the runtime does, with `stream` to its client. */
function invoke(
  run: (response: StreamedResponse, event: HttpEvent, context: FunctionContext) => Promise<void>,
  stream: Writable,
) {
  const heads: unknown[] = [];
  const handler = streamingHandler((event, context, response) => run(response, event, context), {
    streamifyResponse: (given) => (event) => given(event, stream, CONTEXT),
    HttpResponseStream: {
      from(to, head) {
        heads.push(head);
        return to;
      },
    },
  });
  return { heads, done: handler(EVENT) };
}

it("sends status and headers, then the pieces, and ends", async () => {
  const stream = new PassThrough();
  const { heads, done } = invoke(async (response, event, context) => {
    expect([event, context]).toEqual([EVENT, CONTEXT]);
    response.begin(200, HEADERS);
    await response.write("one");
    await response.write("zwei €");
    response.end();
  }, stream);
  await done;
  expect(heads).toEqual([{ statusCode: 200, headers: HEADERS }]);
  expect((await stream.toArray()).join("")).toBe("onezwei €");
});

it("writes something at once, because the runtime sends no head without", async () => {
  const written: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk));
      done();
    },
  });
  await invoke(async (response) => response.begin(204, {}), stream).done;
  expect(written).toEqual([""]);
});

it.each([
  ["that has begun", true],
  ["that has not", false],
])("ends a response for a function %s", async (_what, begins) => {
  const stream = new PassThrough();
  await invoke(async (response) => void (begins && response.begin(200, HEADERS)), stream).done;
  expect(stream.writableEnded).toBe(true);
});

it("leaves what a function throws, and the response, to the runtime", async () => {
  const stream = new PassThrough();
  const { done } = invoke(() => Promise.reject(new Error("no")), stream);
  await expect(done).rejects.toThrow("no");
  expect(stream.writableEnded).toBe(false);
});

it("refuses what is written before it has begun", async () => {
  await expect(invoke((response) => response.write("x"), new PassThrough()).done).rejects.toThrow(TypeError);
});

it("holds a function back until its piece was taken", async () => {
  const stream = new PassThrough({ highWaterMark: 4 });
  const order: string[] = [];
  const { done } = invoke(async (response) => {
    response.begin(200, HEADERS);
    await response.write("more than four");
    order.push("taken");
  }, stream);
  await new Promise((resolve) => setImmediate(resolve));
  order.push("read");
  stream.resume();
  await done;
  expect(order).toEqual(["read", "taken"]);
});

it.each([
  ["is closed", (stream: PassThrough) => stream.destroy()],
  ["breaks", (stream: PassThrough) => stream.destroy(new Error("ECONNRESET"))],
])("lets what is written vanish when the stream %s", async (_what, leave) => {
  const stream = new PassThrough({ highWaterMark: 4 });
  const { done } = invoke(async (response) => {
    response.begin(200, HEADERS);
    const held = response.write("more than four");
    leave(stream);
    await held;
    await response.write("nobody reads this");
    response.end();
  }, stream);
  await done;
});

it("breaks off a response that ends before its client has taken everything", async () => {
  const stream = new PassThrough({ highWaterMark: 4 });
  await invoke(async (response) => {
    response.begin(200, HEADERS);
    void response.write("more than four");
    response.end();
  }, stream).done;
  expect(stream.destroyed).toBe(true);
});
