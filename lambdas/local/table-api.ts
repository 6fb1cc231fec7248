// The embedded DynamoDB over HTTP, for another process of this machine: one that sends through a hub context. Not for
// pages, whatever their origin.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { SdkRequestHandler } from "./in-process-handler.ts";
import { readBody } from "./requests.ts";

export type TableApi = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** What DynamoDB takes in one request. Bytes. */
const REQUEST_BYTES = 16 * 1024 * 1024;
const JSON_TYPE = "application/x-amz-json-1.0";

/** Answers requests of an unmodified SDK client. Signatures are demanded, not verified. */
export function tableApi(engine: SdkRequestHandler): TableApi {
  return async (request, response) => {
    const { method = "GET", url = "/", headers } = request;
    if (isFromBrowser(request) || method !== "POST" || !isSigned(request)) {
      return refuse(response, 403, "AccessDeniedException", "Only AWS SDK clients outside of browsers may ask.");
    }
    const body = await readBody(request, REQUEST_BYTES);
    if (body === undefined) {
      return refuse(response, 413, "RequestEntityTooLargeException", `A request has at most ${REQUEST_BYTES} bytes.`);
    }
    const target = headers["x-amz-target"];
    const { response: answer } = await engine.handle({
      method,
      path: url,
      headers: { ...(typeof target === "string" && { "x-amz-target": target }) },
      body,
    });
    response.writeHead(answer.statusCode, answer.headers).end(answer.body);
  };
}

/** Browsers say so in one of these with every POST, and no page can make them leave it out. */
function isFromBrowser({ headers }: IncomingMessage): boolean {
  return headers.origin !== undefined || headers["sec-fetch-site"] !== undefined;
}

function isSigned({ headers }: IncomingMessage): boolean {
  return headers.authorization?.startsWith("AWS4-HMAC-SHA256 ") === true;
}

function refuse(response: ServerResponse, status: number, type: string, message: string): void {
  response.writeHead(status, { "content-type": JSON_TYPE }).end(JSON.stringify({ __type: type, message }));
}
