// Lambda's own API, as far as a service uses it: asynchronous invocations of two functions.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html

import { LAMBDA } from "../apigateway/index.ts";
import type { ServiceRequest, ServiceResponse } from "./in-process-handler.ts";
import type { Invocations } from "./invocations.ts";

const PATH = /^\/2015-03-31\/functions\/([\w.:-]+)\/invocations$/;

/** The name of the function that runs what takes long. */
export const WORKER = "work";
/** The name of the function that does errands. */
export const RUNNER = "message";

export function lambdaApi(invocations: Invocations): (request: ServiceRequest) => Promise<ServiceResponse> {
  return async ({ path, headers, body }) => {
    const name = PATH.exec(path)?.[1];
    if (headers["x-amz-invocation-type"] !== "Event" || (name !== WORKER && name !== RUNNER)) {
      return failure(404, "ResourceNotFoundException");
    }
    if (body.length > LAMBDA.asynchronousPayloadBytes) return failure(413, "RequestTooLargeException");
    const event = JSON.parse(body.toString());
    if (name === WORKER) void invocations.invokeLater((functions, context) => functions.work(event, context));
    // Of this one a second try would come too late, so there is none.
    else void invocations.invoke(RUNNER, (functions, context) => functions.message(event, context));
    return { statusCode: 202, headers: {}, body: "" };
  };
}

function failure(statusCode: number, type: string): ServiceResponse {
  return { statusCode, headers: { "x-amzn-ErrorType": type }, body: "{}" };
}
