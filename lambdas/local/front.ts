import { type IncomingMessage, type ServerResponse, STATUS_CODES } from "node:http";
import { API_GATEWAY } from "../apigateway/index.ts";
import type { CloudFront } from "./cloudfront.ts";
import type { ConnectionsApi } from "./connections-api.ts";
import type { FaultApi } from "./fault-api.ts";
import type { FunctionUrl } from "./function-url.ts";
import { answerMessage, type HttpApi } from "./http-api.ts";
import { directRequest } from "./origin-request.ts";
import type { Pages } from "./pages.ts";
import { readBody } from "./requests.ts";
import { type IsHub, routeRequest } from "./routes.ts";
import type { TableApi } from "./table-api.ts";

interface Services {
  readonly isHub: IsHub;
  readonly connections: ConnectionsApi;
  readonly cloudFront: CloudFront;
  readonly http: HttpApi;
  readonly stream: FunctionUrl;
  readonly pages: Pages | undefined;
  readonly faultApi: FaultApi | undefined;
  readonly tableApi: TableApi | undefined;
}

/** Answers what is not an upgrade: hands each request to the service its route names. */
export function serveRequests(services: Services) {
  const { isHub, connections, pages, faultApi, tableApi } = services;
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "GET", url = "/", headers } = request;
    const route = routeRequest(method, url, isHub);
    switch (route.kind) {
      case "gateway": {
        // A body over the limit is refused by its size alone: any of that size will do.
        const body = (await readBody(request, API_GATEWAY.messageBytes)) ?? Buffer.alloc(API_GATEWAY.messageBytes + 1);
        const answer = await connections({ method, path: url, headers, body });
        response.writeHead(answer.statusCode, answer.headers).end(answer.body);
        break;
      }
      case "faults":
        if (faultApi === undefined) answerText(response, 404);
        else await faultApi(request, response);
        break;
      case "table":
        if (tableApi === undefined) answerText(response, 404);
        else await tableApi(request, response);
        break;
      case "hub":
        await serveHub(services, request, response);
        break;
      case "page": {
        const page = await pages?.(route.path);
        if (page === undefined) answerText(response, 404);
        else response.writeHead(200, { "content-type": page.contentType }).end(page.body);
        break;
      }
      case "refused":
        answerText(response, route.status);
    }
  };
}

/** Through the edge function, to the origin that it chooses. */
async function serveHub(
  { cloudFront, http, stream }: Services,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const passage = cloudFront(directRequest(incoming));
  switch (passage.origin) {
    case "http":
      return http(passage.request, incoming, response);
    case "stream":
      return stream(passage.request, response);
    case "socket":
      // What a WebSocket API answers to a request that is no upgrade is not documented: 426 would tell more.
      return answerMessage(response, 403, "Forbidden");
    default:
      return answerText(response, passage.status);
  }
}

export function answerText(response: ServerResponse, status: number, text = STATUS_CODES[status]): void {
  response.writeHead(status, { "content-type": "text/plain" }).end(text);
}
