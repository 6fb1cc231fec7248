// Workers and runners on Lambda: a function that is invoked, and not waited for.
// https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html

import { InvokeCommand, LambdaClient } from "@aws-sdk/client-lambda";
import type { Errand, Work } from "./hub/index.ts";
import { REQUESTS } from "./sdk-requests.ts";

/** The port of workers, and that of runners. */
export interface AsynchronousInvoker {
  start(task: Work | Errand): Promise<void>;
}

/** @param client region, credentials and retries are the SDK's own by default. */
export function asynchronousInvoker(
  functionName: string,
  client = new LambdaClient({ requestHandler: REQUESTS }),
): AsynchronousInvoker {
  return {
    async start(task) {
      const Payload = new TextEncoder().encode(JSON.stringify(task));
      await client.send(new InvokeCommand({ FunctionName: functionName, InvocationType: "Event", Payload }));
    },
  };
}
