// The one table that holds every connection of a service.
import type { RemovalPolicy } from "aws-cdk-lib";
import { AttributeType, Billing, TableV2 } from "aws-cdk-lib/aws-dynamodb";
import type { Construct } from "constructs";

/** On demand, no index: pings change rows all the time, and an index would be billed for each. */
export function createTable(scope: Construct, removalPolicy: RemovalPolicy): TableV2 {
  return new TableV2(scope, "Table", {
    partitionKey: { name: "pk", type: AttributeType.STRING },
    sortKey: { name: "sk", type: AttributeType.STRING },
    billing: Billing.onDemand(),
    // Only a garbage collector, days late at times: no promise depends on it.
    timeToLiveAttribute: "expiresAt",
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    removalPolicy,
  });
}

const READ = ["dynamodb:GetItem"];
const REFRESH = [...READ, "dynamodb:PutItem", "dynamodb:UpdateItem"];
const SERVE = [...READ, "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:Query"];

/** What a hub context does with the table. */
export const SEND_ACTIONS: readonly string[] = SERVE;

/**
 * What each function does with the table. Negotiate signs instead of storing, and looks resume keys up; it writes only
 * to refresh access tokens. It has that right also where the service does not allow it: nothing runs the service file
 * here, so nobody knows.
 */
export const TABLE_ACTIONS = {
  connect: SERVE,
  message: SERVE,
  disconnect: SERVE,
  negotiate: REFRESH,
  poll: SERVE,
  stream: SERVE,
  sweep: SERVE,
  work: SERVE,
} as const;
