// The hub's store on one DynamoDB table.

import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import type { Store } from "../hub/index.ts";
import { connectionRows } from "./connection-rows.ts";
import { membershipRows } from "./membership-rows.ts";
import { outboxRows } from "./outbox-rows.ts";
import { questionRows } from "./question-rows.ts";
import { readingRows } from "./reading-rows.ts";
import { resumeRows } from "./resume-rows.ts";
import { sweeperRow } from "./sweeper-row.ts";
import { tableClient } from "./table-client.ts";
import { transportRows } from "./transport-rows.ts";
import { uploadRows } from "./upload-rows.ts";
import { userRows } from "./user-rows.ts";
import { workRows } from "./work-rows.ts";

export function dynamoDBStore(client: DynamoDBClient, tableName: string): Store {
  const table = tableClient(client, tableName);
  return {
    ...connectionRows(table),
    ...transportRows(table),
    ...resumeRows(table),
    ...outboxRows(table),
    ...readingRows(table),
    ...membershipRows(table),
    ...userRows(table),
    ...sweeperRow(table),
    ...workRows(table),
    ...uploadRows(table),
    ...questionRows(table),
  };
}
