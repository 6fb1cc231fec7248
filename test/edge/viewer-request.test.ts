// The edge function over all its rules, as CloudFront runs it: by the stand-in that the local gateway has for it.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { HUB_PARAMETER } from "../../lambdas/apigateway/index.ts";
import { edgeFunction, ORIGINS } from "../../lambdas/edge/index.ts";
import { cloudFront, type Passage } from "../../lambdas/local/cloudfront.ts";
import type { Header, OriginRequest } from "../../lambdas/local/origin-request.ts";

const HOST: Header = ["Host", "chat.example.com"];
const SOCKET: Header[] = [
  ["Upgrade", "websocket"],
  ["Connection", "Upgrade"],
  ["Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="],
];
const STREAM: Header = ["Accept", "text/event-stream"];

interface Given {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: readonly Header[];
}

function pass({ method = "GET", url = "/chat", headers = [] }: Given, secret?: string): Passage {
  const [path = "", query = ""] = url.split("?");
  const request = { method, path, query, headers: [HOST, ...headers] };
  return cloudFront(secret)({ ...request, httpVersion: "1.1", sourceIp: "198.51.100.7", port: 443 });
}

/** Of a request that an origin gets. */
function passed(given: Given, secret?: string): { origin: string; url: string; request: OriginRequest } {
  const passage = pass(given, secret);
  if (passage.origin === undefined) throw new Error(`CloudFront answered ${passage.status} itself.`);
  const { path, query } = passage.request;
  return { origin: passage.origin, url: query === "" ? path : `${path}?${query}`, request: passage.request };
}

function headerOf({ headers }: OriginRequest, name: string): string[] {
  return headers.filter((header) => header[0].toLowerCase() === name).map(([, value]) => value);
}

describe("the edge function", () => {
  it.each<[string, Given, string, string]>([
    [
      "a negotiation",
      { method: "POST", url: "/chat/negotiate?negotiateVersion=1" },
      "http",
      "/chat/negotiate?negotiateVersion=1",
    ],
    ["a preflight of one", { method: "OPTIONS", url: "/chat/negotiate" }, "http", "/chat/negotiate"],
    [
      "a negotiation by GET",
      { url: "/chat/negotiate?clientProtocol=2.1" },
      "http",
      "/chat/negotiate?clientProtocol=2.1",
    ],
    ["a refresh", { method: "POST", url: "/hubs/news/refresh?id=1" }, "http", "/hubs/news/refresh?id=1"],
    ["either in any case, with a slash", { method: "POST", url: "/Chat/Negotiate/" }, "http", "/Chat/Negotiate/"],
    ["a hub that is called refresh", { method: "POST", url: "/refresh?id=1" }, "http", "/poll?id=1&hub=refresh"],
    ["what is sent", { method: "POST", url: "/chat?id=1" }, "http", "/poll?id=1&hub=chat"],
    ["an end", { method: "DELETE", url: "/chat?id=1" }, "http", "/poll?id=1&hub=chat"],
    ["a preflight", { method: "OPTIONS" }, "http", "/poll?hub=chat"],
    ["any other method", { method: "PUT" }, "http", "/poll?hub=chat"],
    ["HEAD", { method: "HEAD" }, "http", "/poll?hub=chat"],
    ["a socket", { url: "/chat?id=1", headers: SOCKET }, "socket", "/prod?id=1&hub=chat"],
    [
      "a socket of a client that says who it is",
      { headers: [...SOCKET, ["User-Agent", "Microsoft SignalR/8.0"]] },
      "socket",
      "/prod?hub=chat",
    ],
    [
      "a socket of a page that polls too",
      { url: "/chat?_=1", headers: [...SOCKET, ["X-Requested-With", "x"]] },
      "socket",
      "/prod?_=1&hub=chat",
    ],
    ["an event stream", { url: "/chat?id=1", headers: [STREAM] }, "stream", "/?id=1&hub=chat"],
    [
      "one among other types",
      {
        headers: [
          ["Accept", "text/html"],
          ["accept", "a/b, text/event-stream;q=1"],
        ],
      },
      "stream",
      "/?hub=chat",
    ],
    [
      "a poll of a browser",
      { url: "/chat?id=1&_=1700000000000", headers: [["Accept", "*/*"]] },
      "http",
      "/poll?id=1&_=1700000000000&hub=chat",
    ],
    ["a poll with X-Requested-With", { headers: [["X-Requested-With", "XMLHttpRequest"]] }, "http", "/poll?hub=chat"],
    ["a poll with X-SignalR-User-Agent", { headers: [["X-SignalR-User-Agent", "x"]] }, "http", "/poll?hub=chat"],
    ["a poll of .NET", { headers: [["User-Agent", "Microsoft SignalR/8.0 (…)"]] }, "http", "/poll?hub=chat"],
    [
      "a page",
      {
        headers: [
          ["User-Agent", "Mozilla Microsoft SignalR/8.0"],
          ["Accept", "text/html"],
        ],
      },
      "socket",
      "/prod?hub=chat",
    ],
    ["the root", { url: "/" }, "socket", "/prod?hub="],
  ])("sends %s where it belongs", (_what, given, origin, url) => {
    expect(passed(given)).toMatchObject({ origin, url });
  });

  it.each<[string, string, string]>([
    ["another hub", "hub=admin", "hub=chat"],
    ["several", "hub=admin&x=1&hub=more", "x=1&hub=chat"],
    ["capitals", "HUB=admin&Hub=admin", "hub=chat"],
    ["escapes", "h%75b=admin&%68%55%62=admin&%48%75%42=x", "hub=chat"],
    ["no value", "hub&hub=", "hub=chat"],
    [
      "what only looks like it",
      "hub2=a&hubs=b&%2568ub=c&hub%20=d&hub+=e",
      "hub2=a&hubs=b&%2568ub=c&hub%20=d&hub+=e&hub=chat",
    ],
  ])("lets no client name a hub but by its path: %s", (_what, query, expected) => {
    expect(passed({ url: `/chat?${query}`, headers: SOCKET }).url).toBe(`/prod?${expected}`);
    expect(passed({ url: `/chat?${query}`, headers: [STREAM] }).url).toBe(`/?${expected}`);
    expect(passed({ method: "POST", url: `/chat?${query}` }).url).toBe(`/poll?${expected}`);
    const besides = expected.replace(/&?hub=chat$/, "");
    const { url } = passed({ method: "POST", url: `/chat/negotiate?${query}` });
    expect(url).toBe(besides === "" ? "/chat/negotiate" : `/chat/negotiate?${besides}`);
  });

  it.each([
    ["values stay escaped", "access_token=a%2Bb%3D%26c&x=%F0%9F%98%80", "access_token=a%2Bb%3D%26c&x=%F0%9F%98%80"],
    ["equals signs stay", "id=a==", "id=a=="],
    ["malformed escapes stay", "x=%zz&%=1", "x=%zz&%=1"],
    ["duplicates stay, side by side", "a=1&b=2&a=3", "a=1&a=3&b=2"],
    ["numbers come first", "b=1&7=2", "7=2&b=1"],
    ["nothing has a name", "=1&a", "=1&a="],
    ["__proto__", "__proto__=1&__proto__=2", "__proto__=1&__proto__=2"],
    ["constructor", "constructor=1", "constructor=1"],
    ["hasOwnProperty", "hasOwnProperty=1&toString=2", "hasOwnProperty=1&toString=2"],
  ])("leaves the rest of the query alone: %s", (_what, query, expected) => {
    expect(passed({ url: `/chat?${query}`, headers: SOCKET }).url).toBe(`/prod?${expected}&hub=chat`);
    expect(passed({ method: "POST", url: `/chat/negotiate?${query}` }).url).toBe(`/chat/negotiate?${query}`);
  });

  it.each([
    ["/hubs/notifications", "hubs%2Fnotifications"],
    ["/caf%C3%A9%26hub=admin", "caf%C3%A9%26hub%3Dadmin"],
    ["/a+b%20c", "a%2Bb%20c"],
    ["/__proto__", "__proto__"],
    ["/chat/", "chat%2F"],
  ])("moves the path %s into one value", (path, value) => {
    expect(passed({ url: path, headers: SOCKET }).url).toBe(`/prod?hub=${value}`);
  });

  it.each(["/%E0%A4%A", "/%", "/chat%zz/negotiate"])("answers 400 to the path %s", (url) => {
    expect(pass({ url })).toEqual({ origin: undefined, status: 400 });
  });

  it("finds nothing that a client inherited: names of objects are no headers and no parameters", () => {
    const names = ["__proto__", "constructor", "hasOwnProperty", "value", "multiValue"];
    const headers = names.map((name): Header => [name, "text/event-stream"]);
    const { origin, request } = passed({ url: `/chat?${names.map((name) => `${name}=x`).join("&")}`, headers });
    expect(origin).toBe("socket");
    for (const name of names) expect(headerOf(request, name.toLowerCase())).toEqual(["text/event-stream"]);
  });

  it("tells each origin whom the client asked and who it is, whatever the client says", () => {
    const forged: Header[] = [
      ["X-Forwarded-Host", "evil.example"],
      ["x-forwarded-host", "evil.example"],
      ["X-Viewer-Address", "203.0.113.9"],
      ["X-Viewer-Authorization", "Bearer forged"],
      ["X-Origin-Verify", "guess"],
    ];
    for (const given of [
      { headers: SOCKET },
      { headers: [STREAM] },
      { method: "POST" },
      { method: "POST", url: "/chat/negotiate" },
    ]) {
      const { request } = passed({ ...given, headers: [...(given.headers ?? []), ...forged] }, "the secret");
      expect(headerOf(request, "x-forwarded-host")).toEqual(["chat.example.com"]);
      expect(headerOf(request, "x-viewer-address")).toEqual(["198.51.100.7"]);
      expect(headerOf(request, "x-viewer-authorization")).toEqual([]);
      expect(headerOf(request, "x-origin-verify")).toEqual(["the secret"]);
      expect(headerOf(request, "host")).toEqual([expect.stringMatching(/\.origin\.localhost$/)]);
    }
  });

  it("puts the client's token aside where CloudFront signs, and only there", () => {
    const token: Header = ["Authorization", "Bearer token"];
    const stream = passed({ headers: [STREAM, token] }).request;
    expect([headerOf(stream, "authorization"), headerOf(stream, "x-viewer-authorization")]).toEqual([
      [],
      ["Bearer token"],
    ]);
    for (const given of [{ headers: [...SOCKET, token] }, { method: "POST", headers: [token] }]) {
      const { request } = passed(given);
      expect([headerOf(request, "authorization"), headerOf(request, "x-viewer-authorization")]).toEqual([
        ["Bearer token"],
        [],
      ]);
    }
  });

  it("gets no header that CloudFront hides from it, and passes on all others, cookies too", () => {
    const headers: Header[] = [
      ...SOCKET,
      ["Cookie", "a=1; b=2"],
      ["X-Tag", "a"],
      ["x-tag", "b"],
      ["Expect", "x"],
      ["X-Edge-Y", "x"],
    ];
    const { request } = passed({ headers });
    for (const hidden of ["upgrade", "connection", "expect", "x-edge-y"]) expect(headerOf(request, hidden)).toEqual([]);
    expect(headerOf(request, "x-tag")).toEqual(["a", "b"]);
    expect(headerOf(request, "cookie")).toEqual(["a=1; b=2"]);
  });
});

describe("the text of the edge function", () => {
  const source = readFileSync(new URL("../../lambdas/edge/viewer-request.js", import.meta.url), "utf8");
  const text = edgeFunction("a-stage");

  it("begins with the import that CloudFront wants in the first line, and is small", () => {
    expect(text).toMatch(/^import cf from "cloudfront";\n/);
    expect(Buffer.byteLength(text)).toBeLessThan(10 * 1024);
  });

  it("has the stage filled in, and nothing left to fill", () => {
    expect(text).toContain('const SOCKET_STAGE = "a-stage";');
    expect(text).not.toMatch(/\{\{|\}\}/);
    expect(source.match(/\{\{/g)).toHaveLength(1);
  });

  it("names the origins and the parameter as everybody does", () => {
    const code = text.replace(/^\/\/.*$|\/\*\*.*\*\//gm, "");
    for (const id of Object.values(ORIGINS)) expect(code).toContain(`"${id}"`);
    expect(code).toContain(`querystring.${HUB_PARAMETER} =`);
  });

  it("uses nothing that CloudFront's runtime is not documented to have", () => {
    const code = source.replace(/\/\/.*$|\/\*\*.*\*\//gm, "");
    const unknown =
      /\?\.|\?\?|\.\.\.|\bfor \(.*\bof\b|\bclass\b|\b(?:const|let) [[{]|\(\?<|\.at\(|hasOwn\(|replaceAll|matchAll/;
    expect(code).not.toMatch(unknown);
  });
});
