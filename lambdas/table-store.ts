import { dynamoDBStore } from "./aws/index.ts";
import { dynamoDBClient } from "./aws-clients.ts";
import type { Store } from "./hub/index.ts";

/** The state port on a table in the cloud. */
export function tableStore(tableName: string): Store {
  return dynamoDBStore(dynamoDBClient(), tableName);
}
