// Lambda's own API, as far as a service uses it: asynchronous invocations of the worker.
// https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html

import { LAMBDA } from "../apigateway/index.ts";
import type { Work } from "../hub/index.ts";
import type { ServiceRequest, ServiceResponse } from "./in-process-handler.ts";
import type { Invocations } from "./invocations.ts";

const PATH = /^\/2015-03-31\/functions\/[\w.:-]+\/invocations$/;

/** The name of the one function that can be invoked. */
export const WORKER = "work";

export function lambdaApi(invocations: Invocations): (request: ServiceRequest) => Promise<ServiceResponse> {
  return async ({ path, headers, body }) => {
    if (!PATH.test(path) || headers["x-amz-invocation-type"] !== "Event")
      return failure(404, "ResourceNotFoundException");
    if (body.length > LAMBDA.asynchronousPayloadBytes) return failure(413, "RequestTooLargeException");
    const work = JSON.parse(body.toString()) as Work;
    void invocations.invokeLater((functions, context) => functions.work(work, context));
    return { statusCode: 202, headers: {}, body: "" };
  };
}

function failure(statusCode: number, type: string): ServiceResponse {
  return { statusCode, headers: { "x-amzn-ErrorType": type }, body: "{}" };
}
