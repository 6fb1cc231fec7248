// Where a request goes: the part CloudFront plays in the cloud, and the addresses of the gateway itself.

import { API_GATEWAY, HUB_PARAMETER } from "../apigateway/index.ts";
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
  | { readonly kind: "negotiate" }
  | { readonly kind: "page"; readonly path: string }
  | { readonly kind: "refused"; readonly status: 400 | 404 | 405 };

export function routeRequest(method: string, url: string, isHub: IsHub): RequestRoute {
  const { path } = split(url);
  if (path === FAULTS_PATH) return { kind: "faults" };
  // The SDK adds the slash.
  if (path === TABLE_PATH || path === `${TABLE_PATH}/`) return { kind: "table" };
  if (isGatewayPath(path)) return { kind: "gateway" };
  const decoded = decodePath(path);
  if (decoded === undefined) return { kind: "refused", status: 400 };
  const hub = decoded.slice(1);
  const refreshes = isHub(hub.replace(/(?<=.)\/refresh$/i, "")) && !isHub(hub);
  switch (method) {
    case "GET":
      return refreshes ? { kind: "negotiate" } : { kind: "page", path: decoded };
    case "POST":
    case "OPTIONS":
    case "DELETE": {
      const known = refreshes || isHub(hub) || isHub(hub.replace(/\/negotiate$/i, ""));
      return known ? { kind: "negotiate" } : { kind: "refused", status: 404 };
    }
    default:
      return { kind: "refused", status: 405 };
  }
}

/** `query` is the one that the socket API sees. */
export type UpgradeRoute = { readonly query: string } | { readonly status: 400 | 403 | 404 | 414 };

export function routeUpgrade(url: string, isHub: IsHub): UpgradeRoute {
  const { path, query } = split(url);
  if (path === STAGE_PATH) return withinLength(query);
  // A WebSocket API has nothing after its stage.
  if (isGatewayPath(path)) return { status: 403 };
  const hub = decodePath(path)?.slice(1);
  if (hub === undefined) return { status: 400 };
  if (!isHub(hub)) return { status: 404 };
  // Last, because the last duplicate wins: a client cannot name another hub than the one in its path.
  const parameter = `${HUB_PARAMETER}=${encodeURIComponent(hub)}`;
  return withinLength(query === "" ? parameter : `${query}&${parameter}`);
}

/** The limit counts after the rewrite: that is the URL which API Gateway sees. */
function withinLength(query: string): UpgradeRoute {
  const url = query === "" ? STAGE_PATH : `${STAGE_PATH}?${query}`;
  return url.length > API_GATEWAY.urlLength ? { status: 414 } : { query };
}

function isGatewayPath(path: string): boolean {
  return path === GATEWAY_PATH || path.startsWith(`${GATEWAY_PATH}/`);
}

function split(url: string): { readonly path: string; readonly query: string } {
  const mark = url.indexOf("?");
  return mark < 0 ? { path: url, query: "" } : { path: url.slice(0, mark), query: url.slice(mark + 1) };
}
