// The instances of a function, with threads that do what a test says: no bundler, no hub.

import { expect, it, onTestFinished } from "vitest";
import type { StreamedResponse } from "../../lambdas/apigateway/index.ts";
import type { InstanceOptions } from "../../lambdas/local/instance.ts";
import { type InstanceLimits, Instances } from "../../lambdas/local/instances.ts";
import { type Line, recordingLog } from "../recording-log.ts";

/** Runs the event, which is JavaScript, with what a thread has. */
const ENTRY = `
  import { parentPort, threadId, workerData } from "node:worker_threads";
  let handled = 0, stopped = () => {};
  const send = (message) => parentPort.postMessage(message);
  const request = (service, body) => new Promise((resolve) => {
    parentPort.on("message", (message) => message.id === 7 && resolve(message));
    send({ kind: "request", id: 7, service, request: { method: "POST", path: "/", headers: {}, body } });
  });
  const write = (text) => new Promise((resolve) => {
    parentPort.on("message", ({ kind }) => kind === "taken" && resolve());
    send({ kind: "piece", text });
  });
  const stop = new Promise((resolve) => { stopped = resolve; });
  const Run = Object.getPrototypeOf(async function () {}).constructor;
  parentPort.on("message", async ({ kind, event, requestId, time }) => {
    if (kind === "stop") stopped("stopped");
    if (kind !== "event") return;
    handled += 1;
    const names = ["threadId", "data", "handled", "send", "request", "stop", "write", "context"];
    try {
      const result = await new Run(...names, event)(
        threadId, workerData, handled, send, request, stop, write, { requestId, time },
      );
      send({ kind: "returned", result });
    } catch ({ name, message, stack, code }) {
      send({ kind: "threw", error: { name, message, stack, code } });
    }
  });
`;

function open(services: Partial<InstanceOptions["services"]> = {}, limits?: Partial<InstanceLimits>) {
  const lines: Line[] = [];
  const nothing = { handle: () => Promise.reject(new TypeError("Not here.")) };
  const options = {
    entry: new URL(`data:text/javascript,${encodeURIComponent(ENTRY)}`),
    data: "first",
    services: { dynamodb: nothing, connections: nothing, lambda: nothing, ...services },
    log: recordingLog(lines),
  };
  const instances = new Instances(options, limits);
  onTestFinished(() => instances.end());
  const invoke = (code: string, limit = 30_000, response?: StreamedResponse): Promise<unknown> =>
    instances.invoke(code, { awsRequestId: "request", getRemainingTimeInMillis: () => limit }, response);
  return { instances, options, invoke, lines };
}

it("handles one event after the other in one instance", async () => {
  const { invoke } = open();
  const threads = [];
  for (let index = 0; index < 3; index++) threads.push(await invoke("return [threadId, handled]"));
  const [thread] = threads[0] as [number];
  expect(threads).toEqual([
    [thread, 1],
    [thread, 2],
    [thread, 3],
  ]);
});

it("starts another instance for each event that comes meanwhile, and uses them again", async () => {
  const { invoke } = open();
  const atOnce = () => Promise.all(Array.from({ length: 3 }, () => invoke("return threadId")));
  const threads = await atOnce();
  expect(new Set(threads).size).toBe(3);
  expect((await atOnce()).sort()).toEqual(threads.sort());
});

it("lets events wait when there are as many as may be", async () => {
  const { instances, invoke } = open({}, { concurrency: 2 });
  const order: unknown[] = [];
  const busy = [1, 2].map((name) => invoke(`return await stop && ${name}`).then((result) => order.push(result)));
  const waiting = [3, 4, 5].map((name) => invoke(`return ${name}`).then((result) => order.push(result)));
  instances.stop();
  await Promise.all([...busy, ...waiting]);
  expect(order).toHaveLength(5);
  const threads = await Promise.all(Array.from({ length: 6 }, () => invoke("return threadId")));
  expect(new Set(threads).size).toBe(2);
});

it("lets an instance go that has had nothing to do for a while", async () => {
  const { invoke, lines } = open({}, { idleTime: 1 });
  const gone = await invoke("return threadId");
  while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(lines).toMatchObject([{ level: "debug", message: "An instance of a function is gone." }]);
  expect(await invoke("return threadId")).not.toBe(gone);
});

it("passes on what a function throws, by name and code", async () => {
  const { invoke } = open();
  const thrown = invoke("throw Object.assign(new RangeError('Too much.'), { code: 'too_much' })");
  await expect(thrown).rejects.toMatchObject({ name: "RangeError", message: "Too much.", code: "too_much" });
  expect(await invoke("return handled")).toBe(2);
});

it.each([
  ["ends its process", "process.exit(5)", "exit code 5"],
  ["throws where nobody catches", "setImmediate(() => { throw new Error('Nobody.'); }); await stop", "Nobody."],
  ["never comes to its end", "for (;;);", "ran out of time"],
])("fails the invocation whose function %s, and goes on with a new instance", async (_title, code, message) => {
  const { invoke } = open();
  const thread = await invoke("return threadId");
  await expect(invoke(code, 1_000)).rejects.toThrow(message);
  expect(await invoke("return handled")).toBe(1);
  expect(await invoke("return threadId")).not.toBe(thread);
});

it("does not use an instance again that died when it had nothing to do", async () => {
  const { invoke, lines } = open();
  const dead = await invoke("setImmediate(() => process.exit(1)); return threadId");
  while (lines.length === 0) await new Promise((resolve) => setImmediate(resolve));
  expect(lines).toMatchObject([{ level: "debug", message: "An instance of a function is gone." }]);
  expect(await invoke("return threadId")).not.toBe(dead);
});

it("starts instances anew when they are replaced; one that is busy finishes first", async () => {
  const { instances, options, invoke } = open();
  const idle = invoke("return data");
  const busy = invoke("return await stop + ' ' + data");
  expect(await idle).toBe("first");
  instances.replace({ ...options, data: "second" });
  expect(await invoke("return data")).toBe("second");
  instances.stop();
  expect(await busy).toBe("stopped first");
  expect(await invoke("return data")).toBe("second");
});

it("answers what a thread asks of a service, and says when that fails", async () => {
  const { invoke } = open({
    dynamodb: {
      handle: async ({ body }) => ({
        response: { statusCode: 200, headers: { a: "b" }, body: Buffer.from(`${body}!`) },
      }),
    },
  });
  const answer = await invoke(
    "const { response } = await request('dynamodb', 'hello'); return { ...response, body: String.fromCharCode(...response.body) }",
  );
  expect(answer).toEqual({ statusCode: 200, headers: { a: "b" }, body: "hello!" });
  expect(await invoke("return (await request('connections', '')).error.message")).toBe("Not here.");
});

it("writes a thread's lines to the log in order, before what it returns", async () => {
  const { invoke, lines } = open();
  const line = (level: string, message: string) =>
    `send({ kind: "log", line: '${JSON.stringify({ level, message, hub: "chat" })}' });`;
  await invoke(`${line("info", "one")} ${line("warn", "two")}`);
  expect(lines).toEqual([
    { level: "info", message: "one", hub: "chat" },
    { level: "warn", message: "two", hub: "chat" },
  ]);
});

it("tells a function which request it is and how long it has", async () => {
  expect(await open().invoke("return context", 1_234)).toEqual({ requestId: "request", time: 1_234 });
});

it("passes a streamed response on, and the next piece when the one before was taken", async () => {
  const { invoke } = open();
  const told: unknown[] = [];
  let take = (): void => undefined;
  const response: StreamedResponse = {
    begin: (...head) => void told.push(head),
    write: (text) =>
      new Promise((resolve) => {
        told.push(text);
        take = resolve;
      }),
    end: () => void told.push("end"),
  };
  const code = `send({ kind: "begin", status: 200, headers: { a: "b" } });
    await write("one"); await write("two"); send({ kind: "end" }); return "done"`;
  const running = invoke(code, 30_000, response);
  for (const pieces of [["one"], ["one", "two"]]) {
    while (told.at(-1) !== pieces.at(-1)) await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual([[200, { a: "b" }], ...pieces]);
    take();
  }
  expect(await running).toBe("done");
  expect(told.at(-1)).toBe("end");
});

it.each<[string, Partial<StreamedResponse>]>([
  [
    "begin",
    {
      begin() {
        throw new TypeError("No.");
      },
    },
  ],
  ["take a piece", { write: () => Promise.reject(new TypeError("No.")) }],
])("fails a function whose response cannot %s", async (_what, broken) => {
  const { invoke } = open();
  const response = { begin: () => undefined, write: async () => undefined, end: () => undefined, ...broken };
  const code = `send({ kind: "begin", status: 200, headers: {} }); await write("one"); await stop`;
  await expect(invoke(code, 30_000, response)).rejects.toThrow("No.");
});

it("ends everything at once, and fails what ran", async () => {
  const { instances, invoke } = open();
  const running = invoke("for (;;);");
  const failed = expect(running).rejects.toMatchObject({ code: "function_died" });
  await instances.end();
  await failed;
});
