// The workers' port on Lambda: asynchronous invocations.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html

import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import type { Workers } from "./hub/index.ts";
import { REQUESTS } from "./sdk-requests.ts";

/** @param client region, credentials and retries are the SDK's own by default. */
export function lambdaWorkers(functionName: string, client = new LambdaClient({ requestHandler: REQUESTS })): Workers {
  return {
    async start(work) {
      const Payload = new TextEncoder().encode(JSON.stringify(work));
      await client.send(new InvokeCommand({ FunctionName: functionName, InvocationType: "Event", Payload }));
    },
  };
}
