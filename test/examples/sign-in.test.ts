// The examples' sign-in: good on one's own machine, and nowhere else.

import { HubConnectionBuilder, NullLogger } from "@microsoft/signalr";
import { decodeJwt } from "jose";
import type { Service } from "signalr-lambda";
import { startLocalServer } from "signalr-lambda/local";
import { afterEach, beforeEach, expect, it, onTestFinished, vi } from "vitest";

beforeEach(() => {
  vi.resetModules();
  vi.stubEnv("JWT_SECRET", "");
});
afterEach(() => vi.unstubAllEnvs());

async function token(user: string): Promise<string> {
  const { default: service } = (await import("../../examples/secured/realtime.ts")) as { default: Service };
  const server = await startLocalServer(service);
  const builder = new HubConnectionBuilder().withUrl(`${server.url}/sign-in`).configureLogging(NullLogger.instance);
  const connection = builder.build();
  onTestFinished(async () => {
    await connection.stop();
    await server.close();
  });
  await connection.start();
  return connection.invoke("token", user);
}

it("makes another secret for every start", async () => {
  const { JWT_SECRET: none } = process.env;
  expect(decodeJwt(await token("ada"))).toMatchObject({ sub: "ada", role: "Admin", tier: "premium" });
  const first = process.env.JWT_SECRET;
  expect(first).toMatch(/^[\w-]{43}$/);
  process.env.JWT_SECRET = none;
  vi.resetModules();
  await import("../../examples/sign-in.ts");
  expect(process.env.JWT_SECRET).not.toBe(first);
});

it.each(["eve", "constructor", "__proto__", ""])("knows no user '%s'", async (user) => {
  await expect(token(user)).rejects.toThrow("Validation failed: argument 1");
});

it("refuses to run on AWS", async () => {
  vi.stubEnv("AWS_LAMBDA_FUNCTION_NAME", "message");
  await expect(import("../../examples/sign-in.ts")).rejects.toThrow("signs anybody in");
});
