// Where a request goes: to the hubs, through CloudFront, to the addresses of the gateway itself, or to a page.

import { API_GATEWAY } from "../apigateway/index.ts";
import { type OriginRequest, splitUrl } from "./origin-request.ts";
import { decodePath, STAGE } from "./requests.ts";

/** Everything below it is the gateway's own, as if it were another host. */
const GATEWAY_PATH = "/_gateway";
/** Where pages find the fault switches. */
const FAULTS_PATH = `${GATEWAY_PATH}/faults`;
/** Where other processes find the embedded DynamoDB. */
export const TABLE_PATH = `${GATEWAY_PATH}/dynamodb`;
/** The stage: where raw sockets connect and below which `@connections` lies. */
export const STAGE_PATH = `${GATEWAY_PATH}/${STAGE}`;

export type IsHub = (path: string) => boolean;

export type RequestRoute =
  | { readonly kind: "gateway" }
  | { readonly kind: "faults" }
  | { readonly kind: "table" }
  | { readonly kind: "hub" }
  | { readonly kind: "page"; readonly path: string }
  | { readonly kind: "refused"; readonly status: 400 | 404 | 405 };

export function routeRequest(method: string, url: string, isHub: IsHub): RequestRoute {
  const { path } = splitUrl(url);
  if (path === FAULTS_PATH) return { kind: "faults" };
  // The SDK adds the slash.
  if (path === TABLE_PATH || path === `${TABLE_PATH}/`) return { kind: "table" };
  if (isGatewayPath(path)) return { kind: "gateway" };
  const decoded = decodePath(path);
  if (decoded === undefined) return { kind: "refused", status: 400 };
  if (isOfHub(decoded.slice(1), isHub)) return { kind: "hub" };
  if (method === "GET") return { kind: "page", path: decoded };
  return { kind: "refused", status: ["POST", "OPTIONS", "DELETE"].includes(method) ? 404 : 405 };
}

/** The path of a hub, or of what is asked of one. */
function isOfHub(path: string, isHub: IsHub): boolean {
  return isHub(path) || isHub(path.replace(/(?<=.)\/(negotiate|refresh)$/i, ""));
}

export type UpgradeRoute =
  | { readonly kind: "stage" }
  | { readonly kind: "hub" }
  | { readonly kind: "refused"; readonly status: 400 | 403 | 404 };

export function routeUpgrade(url: string, isHub: IsHub): UpgradeRoute {
  const { path } = splitUrl(url);
  if (path === STAGE_PATH) return { kind: "stage" };
  // A WebSocket API has nothing after its stage.
  if (isGatewayPath(path)) return { kind: "refused", status: 403 };
  const hub = decodePath(path)?.slice(1);
  if (hub === undefined) return { kind: "refused", status: 400 };
  return isOfHub(hub, isHub) ? { kind: "hub" } : { kind: "refused", status: 404 };
}

/** Whether API Gateway takes a socket's URL: its limit is for the one that CloudFront has made of the client's. */
export function isWithinLength({ query }: OriginRequest): boolean {
  const url = query === "" ? STAGE_PATH : `${STAGE_PATH}?${query}`;
  return url.length <= API_GATEWAY.urlLength;
}

function isGatewayPath(path: string): boolean {
  return path === GATEWAY_PATH || path.startsWith(`${GATEWAY_PATH}/`);
}
