import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterAll } from "vitest";
import { openEmbeddedDynamoDB } from "../../lambdas/local/index.ts";
import { storeSuite } from "../suites/store/index.ts";
import { openDynamoDBStore } from "./open-store.ts";

const engine = await openEmbeddedDynamoDB();
const client = new DynamoDBClient({
  region: "local",
  credentials: { accessKeyId: "local", secretAccessKey: "local" },
  requestHandler: engine.requestHandler,
});
afterAll(() => engine.close());

storeSuite("the store on the embedded engine", () => openDynamoDBStore(client));
