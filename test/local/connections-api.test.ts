import {
  ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import { describe, expect, it } from "vitest";
import type { LocalGateway } from "../../lambdas/local/index.ts";
import { openGateway } from "./local-gateway.ts";

const ACCOUNT = { region: "eu-central-1", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
const KB = 1024;

// The unmodified SDK client, over a socket and without one: nothing may differ.
describe.each<{ way: string; extra: (gateway: LocalGateway) => object }>([
  { way: "over HTTP", extra: () => ({}) },
  { way: "in process", extra: ({ requestHandler }) => ({ requestHandler }) },
])("@connections $way", ({ extra }) => {
  async function openClient(options: Parameters<typeof openGateway>[0] = {}) {
    const opened = await openGateway(options);
    const { gateway } = opened;
    const client = new ApiGatewayManagementApiClient({
      ...ACCOUNT,
      maxAttempts: 1,
      endpoint: gateway.callbackUrl,
      ...extra(gateway),
    });
    return {
      ...opened,
      management: client,
      post: (id: string, data: string | Uint8Array) =>
        client.send(new PostToConnectionCommand({ ConnectionId: id, Data: data })),
      look: (id: string) => client.send(new GetConnectionCommand({ ConnectionId: id })),
      end: (id: string) => client.send(new DeleteConnectionCommand({ ConnectionId: id })),
    };
  }

  it("posts text and bytes as text messages, in the order of awaited posts", async () => {
    const { openTransport, post } = await openClient();
    const { client, id } = await openTransport();
    await post(id, "héllo\u001e");
    await post(id, Buffer.from("wörld\u001e"));
    expect(await client.messages.next()).toBe("héllo\u001e");
    expect(await client.messages.next()).toBe("wörld\u001e");
  });

  it("tells when a transport connected, was last active, and who it is", async () => {
    const { open, invoked, clock, look, post } = await openClient();
    await open("/chat", { headers: { "User-Agent": "test/1" } });
    const id = (await invoked.connect.next()).event.requestContext.connectionId;
    await clock.advance(5_000);
    await post(id, "x");
    const { ConnectedAt, LastActiveAt, Identity } = await look(id);
    expect(ConnectedAt?.getTime()).toBe(Date.UTC(2026, 0, 1));
    expect(LastActiveAt?.getTime()).toBe(Date.UTC(2026, 0, 1, 0, 0, 5));
    expect(Identity).toEqual({ SourceIp: "192.0.2.1", UserAgent: "test/1" });
  });

  it("ends a transport: the client sees 1000, disconnect is told, and it is gone", async () => {
    const { openTransport, invoked, end, look } = await openClient();
    const { client, id } = await openTransport();
    await end(id);
    await expect(look(id)).rejects.toMatchObject({ name: "GoneException" });
    expect((await client.closed).code).toBe(1000);
    expect((await invoked.disconnect.next()).event.requestContext).toMatchObject({
      connectionId: id,
      disconnectStatusCode: 1000,
    });
  });

  it.each(["post", "look", "end"] as const)("answers 410 to %s for what is not there", async (verb) => {
    const opened = await openClient();
    const { client, id } = await opened.openTransport();
    client.webSocket.close();
    await opened.invoked.disconnect.next();
    for (const unknown of [id, "never-was-one=", "../../etc", "__proto__", "%", "a/b?c#d"]) {
      const answer = opened[verb](unknown, "x");
      await expect(answer).rejects.toMatchObject({ name: "GoneException", $metadata: { httpStatusCode: 410 } });
    }
  });

  it("answers 410 until connect has returned", async () => {
    const seen: string[] = [];
    const opened = await openClient({
      functions: {
        async connect({ requestContext: { connectionId } }) {
          for (const verb of ["post", "look", "end"] as const) {
            await opened[verb](connectionId, "x").catch((error: Error) => seen.push(error.name));
          }
          return { statusCode: 200 };
        },
      },
    });
    const { id, client } = await opened.openTransport();
    expect(seen).toEqual(["GoneException", "GoneException", "GoneException"]);
    await opened.post(id, "now");
    expect(await client.messages.next()).toBe("now");
  });

  it("takes 128 KB and answers 413 to one byte more", async () => {
    const { openTransport, post } = await openClient();
    const { client, id } = await openTransport();
    await post(id, "x".repeat(128 * KB));
    expect(await client.messages.next()).toHaveLength(128 * KB);
    const tooLarge = { name: "PayloadTooLargeException", $metadata: { httpStatusCode: 413 } };
    await expect(post(id, "x".repeat(128 * KB + 1))).rejects.toMatchObject(tooLarge);
    await expect(post(id, Buffer.alloc(500 * KB))).rejects.toMatchObject(tooLarge);
    await expect(post(id, "é".repeat(64 * KB + 1))).rejects.toMatchObject(tooLarge);
  });

  it("answers 403 below another stage", async () => {
    const { gateway, openTransport } = await openClient();
    const { id } = await openTransport();
    const endpoint = gateway.callbackUrl.replace("/prod", "/test");
    const elsewhere = new ApiGatewayManagementApiClient({ ...ACCOUNT, endpoint, ...extra(gateway) });
    await expect(elsewhere.send(new PostToConnectionCommand({ ConnectionId: id, Data: "x" }))).rejects.toMatchObject({
      name: "ForbiddenException",
    });
  });

  it.each([
    { statusCode: 429, name: "LimitExceededException" },
    { statusCode: 410, name: "GoneException" },
    { statusCode: 500, name: "InternalServerErrorException" },
    { statusCode: 503, name: "InternalServerErrorException" },
  ])("fails posts by fault with $statusCode, as often as told", async ({ statusCode, name }) => {
    const { openTransport, post, gateway } = await openClient();
    const { client, id } = await openTransport();
    gateway.faults.failPosts({ statusCode, times: 2 });
    for (const _ of [1, 2]) {
      await expect(post(id, "lost")).rejects.toMatchObject({ name, $metadata: { httpStatusCode: statusCode } });
    }
    await post(id, "arrives");
    expect(await client.messages.next()).toBe("arrives");
  });

  it("fails posts by fault to one transport, until reset", async () => {
    const { openTransport, post, gateway } = await openClient();
    const { id: failing } = await openTransport();
    const { id: working } = await openTransport();
    gateway.faults.failPosts({ statusCode: 429, transportId: failing });
    await expect(post(failing, "x")).rejects.toMatchObject({ name: "LimitExceededException" });
    await post(working, "x");
    await expect(post(failing, "x")).rejects.toMatchObject({ name: "LimitExceededException" });
    gateway.faults.reset();
    await post(failing, "x");
  });

  it("is retried by the SDK's own rules", async () => {
    const { openTransport, gateway } = await openClient();
    const { client, id } = await openTransport();
    gateway.faults.failPosts({ statusCode: 503, times: 1 });
    const retrying = new ApiGatewayManagementApiClient({
      ...ACCOUNT,
      maxAttempts: 2,
      endpoint: gateway.callbackUrl,
      ...extra(gateway),
    });
    const { $metadata } = await retrying.send(new PostToConnectionCommand({ ConnectionId: id, Data: "x" }));
    expect($metadata.attempts).toBe(2);
    expect(await client.messages.next()).toBe("x");
  });
});

describe("@connections over bare HTTP", () => {
  const SIGNED = { authorization: "AWS4-HMAC-SHA256 Credential=local" };

  it.each([
    { name: "is not signed", path: "/@connections/x", init: { method: "POST" }, status: 403 },
    { name: "has another method", path: "/@connections/x", init: { method: "PUT", headers: SIGNED }, status: 403 },
    { name: "asks for the stage", path: "", init: { headers: SIGNED }, status: 403 },
    { name: "asks for something else", path: "/other", init: { headers: SIGNED }, status: 403 },
    { name: "has malformed escapes", path: "/@connections/%E0%A4%A", init: { headers: SIGNED }, status: 400 },
    { name: "names a transport that is not there", path: "/@connections/x", init: { headers: SIGNED }, status: 410 },
  ])("answers $status when the request $name", async ({ path, init, status }) => {
    const { gateway } = await openGateway();
    expect((await fetch(gateway.callbackUrl + path, init)).status).toBe(status);
  });

  it("gives 410 its error type in a header, and no body", async () => {
    const { gateway } = await openGateway();
    const response = await fetch(`${gateway.callbackUrl}/@connections/x`, { headers: SIGNED });
    expect(response.headers.get("x-amzn-errortype")).toBe("GoneException");
    expect(await response.text()).toBe("");
  });
});
