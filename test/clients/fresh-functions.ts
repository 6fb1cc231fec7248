// Functions without a memory: every event finds handlers, clients and a service that nothing has used before, and is
// handed over as the copy that Lambda makes of it. The author's closures are all that is shared, and they are the tests'.

import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Service } from "signalr-lambda";
import { dynamoDBStore } from "../../lambdas/aws/index.ts";
import type { Functions, SdkRequestHandler } from "../../lambdas/local/index.ts";
import { embeddedClient } from "../../lambdas/local-database.ts";
import { type FunctionRoom, handlersOf, sharedFunctions } from "../../lambdas/local-functions.ts";

/** @param watch is shown every client of DynamoDB before it is used. */
export function freshFunctions(watch: (client: DynamoDBClient) => void): FunctionRoom {
  return sharedFunctions((service, means): Functions => {
    const instance = () => {
      const requestHandler = copying(means.database.requestHandler as SdkRequestHandler);
      const client = embeddedClient(requestHandler);
      watch(client);
      const [connections, lambda] = [copying(means.connections), copying(means.lambda)];
      const store = dynamoDBStore(client, means.database.tableName);
      return handlersOf(anew(service), { ...means, connections, lambda }, store);
    };
    return {
      connect: async (event) => structuredClone(await instance().connect(structuredClone(event))),
      message: async (event) => structuredClone(await instance().message(structuredClone(event))),
      disconnect: async (event) => structuredClone(await instance().disconnect(structuredClone(event))),
      negotiate: async (event) => structuredClone(await instance().negotiate(structuredClone(event))),
      poll: async (event) => structuredClone(await instance().poll(structuredClone(event))),
      stream: (event, context, response) => instance().stream(structuredClone(event), context, response),
      work: (event) => instance().work(structuredClone(event)),
      sweep: () => instance().sweep(),
    };
  });
}

/** As a network would: nothing that is sent or answered is the same object at the other end. */
function copying({ handle, ...others }: SdkRequestHandler): SdkRequestHandler {
  return {
    ...others,
    async handle({ method, path, headers, body }) {
      const { response } = await handle(structuredClone({ method, path, headers, body }));
      return { response: structuredClone({ ...response, body: new Uint8Array(response.body) }) };
    },
  };
}

/** The same service, of other objects: nothing can be remembered by them. */
function anew(service: Service): Service {
  const hubs = [...service.hubs].map(([path, { definition, ...entry }]) => {
    const methods = Object.create(
      Object.getPrototypeOf(definition.methods),
      Object.getOwnPropertyDescriptors(definition.methods),
    );
    return [path, { ...entry, definition: { ...definition, methods } }] as const;
  });
  return { ...service, hubs: new Map(hubs) };
}
