import { describe, expect, it } from "vitest";
import { FOREIGN_HOST } from "../../lambdas/local/local-names.ts";
import { openGateway, rawRequest, UPGRADE } from "./local-gateway.ts";

const FOREIGN = [
  "evil.test",
  "evil.test:8080",
  "localhost.evil.test",
  "127.0.0.1.evil.test",
  "evil.test/.localhost",
  "notlocalhost",
  "192.168.0.1:8080",
  "[::2]",
  "",
];
const OWN = ["localhost", "LOCALHOST:8080", "app.localhost:8080", "127.0.0.1:8080", "127.0.0.2", "[::1]", "[::1]:8080"];

const hubPaths = () => ["chat"];
const requests = [
  ["a page", ["GET / HTTP/1.1"]],
  ["negotiate", ["POST /chat/negotiate HTTP/1.1", "Content-Length: 0"]],
  ["@connections", ["GET /_gateway/prod/@connections/x HTTP/1.1", "Authorization: AWS4-HMAC-SHA256 x"]],
  ["a socket", ["GET /chat HTTP/1.1", ...UPGRADE]],
] as const;

describe.each(requests)("a gateway on a loopback address, asked for %s", (_name, lines) => {
  it.each(FOREIGN)("answers 403 when the host is %j, says why, and asks no function", async (host) => {
    const { gateway, invoked } = await openGateway({ hubPaths });
    const response = await rawRequest(gateway.url, lines, host);
    expect(response).toMatch(/^HTTP\/1.1 403 /);
    expect(response).toContain(FOREIGN_HOST);
    expect([...invoked.connect.all, ...invoked.negotiate.all]).toEqual([]);
  });

  it.each(OWN)("answers when the host is %j", async (host) => {
    const { gateway } = await openGateway({ hubPaths });
    expect(await rawRequest(gateway.url, lines, host)).not.toMatch(/^HTTP\/1.1 403 /);
  });
});

it("a gateway that listens for others answers to every name", async () => {
  const { gateway } = await openGateway({ hubPaths, host: "0.0.0.0" });
  for (const [, lines] of requests) {
    expect(await rawRequest(gateway.url, lines, "box.example:8080")).not.toMatch(/^HTTP\/1.1 403 /);
  }
});
