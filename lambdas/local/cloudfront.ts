// CloudFront in front of the three origins: runs the edge function that is deployed, and passes on what it returns.

import { randomBytes } from "node:crypto";
import { createContext, Script } from "node:vm";
import { EDGE_HEADERS } from "../apigateway/index.ts";
import { edgeFunction, type OriginId } from "../edge/index.ts";
import { type Header, headerOf, type OriginRequest } from "./origin-request.ts";
import { grouped, STAGE } from "./requests.ts";

/** A query parameter or a header, as a CloudFront function gets it. */
interface Field {
  readonly value: string;
  /** All values, if there are several. */
  readonly multiValue?: readonly { readonly value: string }[];
}

type Fields = Record<string, Field>;

interface ViewerRequest {
  readonly method: string;
  readonly uri: string;
  readonly querystring: Fields;
  readonly headers: Fields;
  readonly cookies: Fields;
}

interface ViewerRequestEvent {
  readonly version: "1.0";
  readonly context: {
    readonly distributionDomainName: string;
    readonly distributionId: string;
    readonly eventType: "viewer-request";
    readonly requestId: string;
  };
  readonly viewer: { readonly ip: string };
  readonly request: ViewerRequest;
}

/** What CloudFront does with a request: it asks an origin, or answers itself. */
export type Passage =
  | { readonly origin: OriginId; readonly request: OriginRequest }
  | { readonly origin: undefined; readonly status: number };

export type CloudFront = (request: OriginRequest) => Passage;

/** From a range that is nobody's: an origin sees an address of CloudFront's, never the client's. */
const CLOUDFRONT_ADDRESS = "192.0.2.1";

/** @param originSecret sent to every origin, as a custom header of it. @default none is */
export function cloudFront(originSecret?: string): CloudFront {
  let chosen: OriginId | undefined;
  const cf = {
    selectRequestOriginById(id: OriginId) {
      chosen = id;
    },
  };
  // Nothing but the language: neither Node's globals nor a way to import anything else.
  const script = new Script(`${edgeFunction(STAGE).replace(/^import cf from "cloudfront";/, "")}\nhandler`);
  const handler: (event: ViewerRequestEvent) => ViewerRequest | { readonly statusCode: number } = script.runInContext(
    createContext({ cf }, { codeGeneration: { strings: false, wasm: false } }),
  );

  return (request) => {
    chosen = undefined;
    const returned = handler(eventOf(request));
    if ("statusCode" in returned) return { origin: undefined, status: returned.statusCode };
    if (chosen === undefined) throw new Error("The edge function has chosen no origin.");
    return { origin: chosen, request: originRequest(request, returned, chosen, originSecret) };
  };
}

function eventOf({ method, path, query, headers, sourceIp }: OriginRequest): ViewerRequestEvent {
  const visible = headers.map(([name, value]) => [name.toLowerCase(), value] as const);
  return {
    version: "1.0",
    context: {
      distributionDomainName: "local.cloudfront.net",
      distributionId: "LOCAL",
      eventType: "viewer-request",
      requestId: randomBytes(32).toString("base64url"),
    },
    viewer: { ip: sourceIp },
    request: {
      method,
      uri: path,
      querystring: fieldsOf(pairsOf(query)),
      headers: fieldsOf(visible.filter(([name]) => !isDisallowed(name) && name !== "cookie")),
      // They go on as they came: the function is not asked about them.
      cookies: {},
    },
  };
}

function originRequest(
  given: OriginRequest,
  returned: ViewerRequest,
  origin: OriginId,
  originSecret: string | undefined,
): OriginRequest {
  const query = queryOf(returned.querystring);
  const headers: Header[] = pairs(returned.headers).map(([name, value]) => [capitalized(name), value]);
  const cookie = headerOf(given, "cookie");
  if (cookie !== undefined) headers.push(["Cookie", cookie]);
  const forwardedFor = headerOf(given, "x-forwarded-for");
  const own: Header[] = [
    ["Host", `${origin}.origin.localhost`],
    ["X-Forwarded-For", [...(forwardedFor ? [forwardedFor] : []), given.sourceIp].join(", ")],
    ...(originSecret === undefined ? [] : [[EDGE_HEADERS.secret, originSecret] as const]),
  ];
  const replaced = new Set(own.map(([name]) => name.toLowerCase()));
  return {
    ...given,
    path: returned.uri,
    // Unless the function has changed something, CloudFront passes on what it got.
    query: query === queryOf(fieldsOf(pairsOf(given.query))) ? given.query : query,
    headers: [...headers.filter(([name]) => !replaced.has(name.toLowerCase())), ...own],
    sourceIp: CLOUDFRONT_ADDRESS,
  };
}

/** @see https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/edge-function-restrictions-all.html */
function isDisallowed(name: string): boolean {
  return DISALLOWED.has(name) || /^x-(amz-cf|edge|accel)-/.test(name);
}

/** Those of the documented list that clients may send. */
const DISALLOWED = new Set([
  "connection",
  "expect",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "trailer",
  "upgrade",
  "x-cache",
  "x-forwarded-proto",
  "x-real-ip",
]);

/** Names and values stay escaped. */
function pairsOf(query: string): (readonly [string, string])[] {
  const parameters = query.split("&").filter((parameter) => parameter !== "");
  return parameters.map((parameter) => {
    const [name = "", ...value] = parameter.split("=");
    return [name, value.join("=")];
  });
}

/** Own properties, whatever the names: `__proto__` too. */
function fieldsOf(given: Iterable<readonly [string, string]>): Fields {
  const fields = [...grouped(given)].map(([name, values]) => {
    const all = values.map((value) => ({ value }));
    return [name, { value: values[0] ?? "", ...(all.length > 1 && { multiValue: all }) }] as const;
  });
  return Object.fromEntries(fields);
}

function pairs(fields: Fields): (readonly [string, string])[] {
  return Object.entries(fields).flatMap(([name, { value, multiValue = [{ value }] }]) =>
    multiValue.map((each) => [name, each.value] as const),
  );
}

function queryOf(fields: Fields): string {
  return pairs(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join("&");
}

/** As CloudFront spells a header's name again: `x-a-b` is `X-A-B`. */
function capitalized(name: string): string {
  return name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
}
