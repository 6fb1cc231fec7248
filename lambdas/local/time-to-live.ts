import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  DescribeTableCommand,
  type DynamoDBClient,
  paginateScan,
} from "@aws-sdk/client-dynamodb";

export interface DeleteExpiredOptions {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  /** The number attribute that holds an item's end, in epoch seconds. */
  readonly attribute: string;
  /** Epoch milliseconds, as a Clock gives them. */
  readonly now: number;
}

/** DynamoDB takes an older value for a mistake and keeps the item. Five years, in seconds. */
const OLDEST = 5 * 365 * 24 * 60 * 60;

/**
 * Deletes what DynamoDB's time to live would, which the embedded engine does not have, and returns how many items that
 * were. An item whose end is moved meanwhile stays.
 */
export async function deleteExpired({ client, tableName, attribute, now }: DeleteExpiredOptions): Promise<number> {
  const { Table } = await client.send(new DescribeTableCommand({ TableName: tableName }));
  const keyNames = (Table?.KeySchema ?? []).map((key) => key.AttributeName ?? "");
  const seconds = Math.floor(now / 1000);
  const expression = "#end BETWEEN :oldest AND :now";
  const substitutes = {
    ExpressionAttributeNames: { "#end": attribute },
    ExpressionAttributeValues: { ":now": { N: String(seconds) }, ":oldest": { N: String(seconds - OLDEST) } },
  };

  /** False if the item was renewed or deleted since the scan. */
  const deleteItem = async (item: Record<string, AttributeValue>): Promise<boolean> => {
    const key = Object.fromEntries(Object.entries(item).filter(([name]) => keyNames.includes(name)));
    try {
      await client.send(
        new DeleteItemCommand({ TableName: tableName, Key: key, ConditionExpression: expression, ...substitutes }),
      );
      return true;
    } catch (error) {
      if (error instanceof ConditionalCheckFailedException) return false;
      throw error;
    }
  };

  let deleted = 0;
  const scan = { TableName: tableName, FilterExpression: expression, ...substitutes };
  for await (const { Items = [] } of paginateScan({ client }, scan)) {
    for (const item of Items) if (await deleteItem(item)) deleted += 1;
  }
  return deleted;
}
