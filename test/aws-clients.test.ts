import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { GetItemCommand } from "@aws-sdk/client-dynamodb";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { dynamoDBClient, managementClient } from "../lambdas/aws-clients.ts";

let server: Server;
let url: string;

beforeAll(async () => {
  // Takes every request and answers none.
  server = createServer(() => undefined).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.stubEnv("AWS_ENDPOINT_URL_DYNAMODB", url);
  vi.stubEnv("AWS_REGION", "local");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "local");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "local");
  vi.stubEnv("AWS_MAX_ATTEMPTS", "1");
});

afterAll(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
});

describe.concurrent("a request that is not answered", () => {
  // How the SDK names it is what `apiGatewayTransports` tells it by.
  const timeOut = expect.objectContaining({ name: "TimeoutError", code: "ETIMEDOUT" });

  it.each([
    ["DynamoDB", () => dynamoDBClient().send(new GetItemCommand({ TableName: "t", Key: { pk: { S: "x" } } }))],
    ["@connections", () => managementClient(url).send(new PostToConnectionCommand({ ConnectionId: "A=", Data: "x" }))],
  ])("fails after 3 seconds, to %s", async (_name, send) => {
    const startedAt = performance.now();
    await expect(send()).rejects.toThrow(timeOut);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
