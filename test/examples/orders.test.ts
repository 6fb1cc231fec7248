// The orders example as it runs on one's own machine: the service here, shop and courier in a second process.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { HubConnectionBuilder, NullLogger } from "@microsoft/signalr";
import { startLocalServer } from "signalr-lambda/local";
import { expect, it, onTestFinished } from "vitest";
import service from "../../examples/orders/realtime.ts";
import { calls } from "../clients/running-service.ts";

const LOCAL = fileURLToPath(new URL("../../examples/orders/local.ts", import.meta.url));

async function start() {
  const server = await startLocalServer(service, { tableApi: true });
  const connection = new HubConnectionBuilder().withUrl(`${server.url}/orders`).configureLogging(NullLogger.instance);
  const client = connection.build();
  const [placed, dispatched] = [calls(client, "placed"), calls(client, "dispatched")];
  await client.start();
  const beside = spawn(process.execPath, ["--import", "tsx", LOCAL], {
    env: { ...process.env, ...server.environment, PORT: "0" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(async () => {
    beside.kill();
    await once(beside, "exit");
    await client.stop();
    await server.close();
  });
  const [line] = (await once(createInterface(beside.stdout), "line")) as [string];
  const order = (body: string, headers = { "content-type": "application/json" }) =>
    fetch(line.replace(/^.* /, ""), { method: "POST", headers, body });
  return { client, placed, dispatched, order };
}

it("tells who follows a customer of the customer's orders, and everybody when the courier leaves", async () => {
  const { client, placed, dispatched, order } = await start();
  const [at] = await dispatched.next();
  expect(at).toBeTypeOf("number");
  await client.invoke("follow", "ada");
  const tea = { customer: "ada", item: "tea" };
  expect((await order('{ "customer": "bob", "item": "milk" }')).status).toBe(201);
  expect((await order(JSON.stringify(tea))).status).toBe(201);
  expect(await placed.next()).toEqual([tea]);
  for (const wrong of [
    "{}",
    "[",
    "null",
    '{ "customer": "", "item": "tea" }',
    '{ "__proto__": { "customer": "ada" } }',
  ]) {
    expect((await order(wrong)).status).toBe(400);
  }
  expect((await order(JSON.stringify(tea), { "content-type": "text/plain" })).status).toBe(400);
});
