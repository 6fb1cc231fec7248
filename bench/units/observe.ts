// What no answer tells: how many bytes a request has met in the table. Looked up through a client that nobody meters.

import { type DynamoDBClient, GetItemCommand, QueryCommand, type QueryCommandInput } from "@aws-sdk/client-dynamodb";
import { type Item, itemSize } from "./item-size.ts";

/** The whole item's, whatever a projection shows of it; 0 if there is none. */
export async function storedBytes(observer: DynamoDBClient, tableName: string | undefined, key: Item): Promise<number> {
  const request = new GetItemCommand({ TableName: tableName, Key: key, ConsistentRead: true });
  return itemSize((await observer.send(request)).Item);
}

/** What a page of a query went through: the first `scanned` items of the same query without its filter. */
export async function scannedBytes(observer: DynamoDBClient, query: QueryCommandInput, scanned = 0): Promise<number> {
  if (scanned === 0) return 0;
  const { TableName, KeyConditionExpression = "", ExclusiveStartKey, ScanIndexForward } = query;
  const request = new QueryCommand({
    TableName,
    KeyConditionExpression,
    ExpressionAttributeNames: mentioned(KeyConditionExpression, query.ExpressionAttributeNames),
    ExpressionAttributeValues: mentioned(KeyConditionExpression, query.ExpressionAttributeValues),
    ExclusiveStartKey,
    ScanIndexForward,
    ConsistentRead: true,
    Limit: scanned,
  });
  const { Items = [] } = await observer.send(request);
  return Items.reduce((bytes, item) => bytes + itemSize(item), 0);
}

/** DynamoDB refuses placeholders that no expression uses, and an empty set of them. */
function mentioned<Value>(expression: string, placeholders: Record<string, Value> = {}) {
  const used: readonly string[] = expression.match(/[#:]\w+/g) ?? [];
  const entries = Object.entries(placeholders).filter(([name]) => used.includes(name));
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
