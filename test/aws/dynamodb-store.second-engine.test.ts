// The same contract on an engine with other authors: the one behind AWS_ENDPOINT_URL_DYNAMODB, else the binary of
// @dynoxide/linux-x64, which `npm install --no-save @dynoxide/linux-x64@1.2.1` brings.

import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterAll, it } from "vitest";
import { storeSuite } from "../suites/store/index.ts";
import { resolveDynoxide, startDynoxide } from "./dynoxide.ts";
import { openDynamoDBStore } from "./open-store.ts";

const endpoint = process.env.AWS_ENDPOINT_URL_DYNAMODB;
const binary = resolveDynoxide();

if (endpoint !== undefined) {
  // Region and credentials are the environment's: the endpoint may be AWS.
  const client = new DynamoDBClient({});
  storeSuite(`the store on ${endpoint}`, () => openDynamoDBStore(client));
} else if (binary !== undefined) {
  const engine = await startDynoxide(binary);
  afterAll(() => engine.close());
  const client = new DynamoDBClient({
    endpoint: engine.url,
    region: "local",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
  });
  storeSuite("the store on dynoxide", () => openDynamoDBStore(client));
} else {
  console.info(
    "No second DynamoDB engine: npm install --no-save @dynoxide/linux-x64@1.2.1, or AWS_ENDPOINT_URL_DYNAMODB.",
  );
  it.skip("the store on a second engine", () => {});
}
