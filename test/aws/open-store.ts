// The DynamoDB store on a table of its own, on whatever engine a client reaches.

import { randomUUID } from "node:crypto";
import {
  CreateTableCommand,
  DeleteTableCommand,
  type DynamoDBClient,
  paginateScan,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import { dynamoDBStore, tableDefinition } from "../../lambdas/aws/index.ts";
import type { OpenStore } from "../suites/store/index.ts";

export async function openDynamoDBStore(client: DynamoDBClient): Promise<OpenStore> {
  const tableName = `signalr-lambda-test-${randomUUID()}`;
  await client.send(new CreateTableCommand(tableDefinition(tableName)));
  await waitUntilTableExists({ client, maxWaitTime: 60 }, { TableName: tableName });
  return {
    store: dynamoDBStore(client, tableName),
    async rows() {
      const rows: string[] = [];
      const input = { TableName: tableName, ConsistentRead: true, ProjectionExpression: "pk, sk" };
      for await (const { Items = [] } of paginateScan({ client }, input)) {
        rows.push(...Items.map(({ pk, sk }) => JSON.stringify([pk?.S, sk?.S])));
      }
      return rows.sort();
    },
    async close() {
      await client.send(new DeleteTableCommand({ TableName: tableName }));
    },
  };
}
