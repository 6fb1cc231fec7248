// The embedded DynamoDB for another process: the unmodified SDK client over HTTP, and nobody else.

import { request } from "node:http";
import { DynamoDBClient, ListTablesCommand } from "@aws-sdk/client-dynamodb";
import { describe, expect, it, onTestFinished } from "vitest";
import { openEmbeddedDynamoDB } from "../../lambdas/local/index.ts";
import { openGateway } from "./local-gateway.ts";

const ACCOUNT = { region: "local", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
const SIGNED = { authorization: "AWS4-HMAC-SHA256 Credential=x" };
const LIST = { "x-amz-target": "DynamoDB_20120810.ListTables", "content-type": "application/x-amz-json-1.0" };

async function open(options: Parameters<typeof openGateway>[0] = {}) {
  const engine = await openEmbeddedDynamoDB();
  onTestFinished(() => engine.close());
  const { gateway } = await openGateway({ table: engine.requestHandler, ...options });
  return gateway;
}

/** `fetch` would set a browser's headers, and a Host of its own. */
function ask(url: string, { method = "POST", headers = {}, body = "{}" } = {}) {
  return new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
    const asked = request(url, { method, headers: { ...LIST, ...headers } }, async (response) => {
      let text = "";
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode, text });
    });
    asked.on("error", reject).end(method === "POST" ? body : undefined);
  });
}

describe("the table over HTTP", () => {
  it("answers an SDK client, errors included", async () => {
    const { tableUrl } = await open();
    const client = new DynamoDBClient({ ...ACCOUNT, endpoint: String(tableUrl) });
    expect((await client.send(new ListTablesCommand({}))).TableNames).toEqual([]);
    await expect(client.send(new ListTablesCommand({ Limit: -1 }))).rejects.toMatchObject({
      name: "ValidationException",
    });
    client.destroy();
  });

  it.each([
    ["a page of another origin", { ...SIGNED, origin: "https://evil.test" }],
    ["a page of this server", { ...SIGNED, "sec-fetch-site": "same-origin" }],
    ["a page without an origin", { ...SIGNED, origin: "null" }],
    ["a request that nobody signed", {}],
    ["a name that was made to resolve to this machine", { ...SIGNED, host: "evil.test" }],
  ])("refuses %s", async (_who, headers) => {
    const { tableUrl } = await open();
    expect((await ask(String(tableUrl), { headers })).status).toBe(403);
  });

  it("refuses other methods, and operations that there are not", async () => {
    const url = String((await open()).tableUrl);
    expect((await ask(url, { headers: SIGNED })).status).toBe(200);
    expect((await ask(url, { method: "GET", headers: SIGNED })).status).toBe(403);
    expect((await ask(url, { method: "OPTIONS", headers: SIGNED })).status).toBe(403);
    for (const target of ["DynamoDB_20120810.__proto__", "constructor", ""]) {
      const { status, text } = await ask(url, { headers: { ...SIGNED, "x-amz-target": target } });
      expect([status, text]).toEqual([400, expect.stringContaining("UnknownOperationException")]);
    }
  });

  it("is not there for others than this machine, nor unless it is asked for", async () => {
    const exposed = await open({ host: "0.0.0.0" });
    expect(exposed.tableUrl).toBeUndefined();
    expect((await ask(`${exposed.url}/_gateway/dynamodb`, { headers: SIGNED })).status).toBe(404);
    const { gateway } = await openGateway();
    expect((await ask(`${gateway.url}/_gateway/dynamodb`, { headers: SIGNED })).status).toBe(404);
  });
});
