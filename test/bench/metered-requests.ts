// Requests with what AWS bills for each, worked out by hand.

import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  UpdateItemCommand,
  type WriteRequest,
} from "@aws-sdk/client-dynamodb";
import { type Item, itemSize } from "../../bench/units/item-size.ts";
import { tableDefinition } from "../../lambdas/aws/index.ts";

export interface MeteredRequest {
  readonly title: string;
  /** Items that are there before. */
  readonly given?: readonly Item[];
  readonly send: (client: DynamoDBClient) => Promise<Answer>;
  readonly writeUnits?: number;
  readonly readUnits?: number;
  /** The second engine does not know better: nobody tells what a refusal took, and it counts only what it returns. */
  readonly onlyByHand?: true;
}

/** What an engine says that it took. */
export interface Answer {
  readonly ConsumedCapacity?: Capacity | Capacity[] | undefined;
}

interface Capacity {
  readonly CapacityUnits?: number | undefined;
}

const TableName = "metered";
const common = { TableName, ReturnConsumedCapacity: "TOTAL" } as const;
const Key = { pk: { S: "p" }, sk: { S: "s" } };
const NEW = "attribute_not_exists(pk)";

export const meteredRequests: readonly MeteredRequest[] = [
  { title: "a new item of 1 KB", send: put(sized(1024)), writeUnits: 1 },
  { title: "a new item of a byte more", send: put(sized(1025)), writeUnits: 2 },
  { title: "1 KB of characters that are more in UTF-8", send: put(textual("é".repeat(600))), writeUnits: 2 },
  { title: "an item made smaller", given: [sized(3000)], send: put(sized(100)), writeUnits: 3 },
  { title: "an item made larger", given: [sized(100)], send: put(sized(3000)), writeUnits: 3 },
  { title: "an update that grows over 1 KB", given: [sized(1020)], send: update("SET b = :b", "12345"), writeUnits: 2 },
  { title: "an update that shrinks below", given: [sized(1025)], send: update("SET a = :b", ""), writeUnits: 2 },
  { title: "an update of nothing, which makes an item", send: update("SET b = :b", "1"), writeUnits: 1 },
  { title: "a deleted item", given: [sized(2049)], send: remove(), writeUnits: 3 },
  { title: "the deletion of nothing", send: remove(), writeUnits: 1 },
  {
    title: "a refused put: the larger of both items",
    given: [sized(100)],
    send: put(sized(1025), NEW),
    writeUnits: 2,
    onlyByHand: true,
  },
  {
    title: "a refused put over a large item",
    given: [sized(2049)],
    send: put(sized(100), NEW),
    writeUnits: 3,
    onlyByHand: true,
  },
  {
    title: "a refused update",
    given: [sized(1025)],
    send: update("SET a = :b", "", NEW),
    writeUnits: 2,
    onlyByHand: true,
  },
  {
    title: "a refused update of nothing",
    send: update("SET a = :b", "", "attribute_exists(pk)"),
    writeUnits: 1,
    onlyByHand: true,
  },
  { title: "a refused deletion", given: [sized(2049)], send: remove(NEW), writeUnits: 3, onlyByHand: true },
  {
    title: "a batch, each item for itself",
    given: [sized(2000, "0")],
    send: batch([{ PutRequest: { Item: sized(10, "1") } }, { PutRequest: { Item: sized(1025, "2") } }, deletion("0")]),
    writeUnits: 1 + 2 + 2,
  },
  { title: "4 KB read", given: [sized(4096)], send: get(true), readUnits: 1 },
  { title: "a byte more read", given: [sized(4097)], send: get(true), readUnits: 2 },
  { title: "a byte more read eventually", given: [sized(4097)], send: get(false), readUnits: 1 },
  { title: "a part of 5 KB read", given: [sized(5000)], send: get(true, "pk"), readUnits: 2, onlyByHand: true },
  { title: "nothing read", send: get(true), readUnits: 1 },
  { title: "nothing read eventually", send: get(false), readUnits: 0.5 },
  { title: "a page: its items together", given: several(4, 1024), send: query(true), readUnits: 1 },
  { title: "a page of a byte more", given: [...several(3, 1024), sized(1025, "x")], send: query(true), readUnits: 2 },
  { title: "a page read eventually", given: several(5, 1024), send: query(false), readUnits: 1 },
  { title: "what a filter leaves out", given: several(9, 1000), send: query(true, { filter: "no" }), readUnits: 3 },
  {
    title: "what a prefix does not reach: nothing",
    given: several(9, 1000),
    send: query(true, { prefix: "8" }),
    readUnits: 1,
  },
  { title: "no more than its limit", given: several(9, 4000), send: query(true, { limit: 2 }), readUnits: 2 },
  { title: "an empty page", send: query(true), readUnits: 1 },
  { title: "an empty page read eventually", send: query(false), readUnits: 0.5 },
];

export async function createMeteredTable(client: DynamoDBClient): Promise<void> {
  await client.send(new CreateTableCommand(tableDefinition(TableName)));
}

export async function give(client: DynamoDBClient, items: readonly Item[] = []): Promise<void> {
  for (const item of items) await client.send(new PutItemCommand({ TableName, Item: item }));
}

/** Leaves the table empty. */
export async function takeAll(client: DynamoDBClient): Promise<void> {
  const { Items = [] } = await client.send(new ScanCommand({ TableName, ProjectionExpression: "pk, sk" }));
  for (const key of Items) await client.send(new DeleteItemCommand({ TableName, Key: key }));
}

function textual(text: string, sk = "s"): Item {
  return { pk: { S: "p" }, sk: { S: sk }, a: { S: text } };
}

function sized(bytes: number, sk = "s"): Item {
  return textual("x".repeat(Math.max(0, bytes - itemSize(textual("", sk)))), sk);
}

function several(count: number, bytes: number): Item[] {
  return Array.from({ length: count }, (_, index) => sized(bytes, String(index)));
}

function put(Item: Item, ConditionExpression?: string): MeteredRequest["send"] {
  return (client) => client.send(new PutItemCommand({ ...common, Item, ConditionExpression }));
}

function update(UpdateExpression: string, text: string, ConditionExpression?: string): MeteredRequest["send"] {
  const ExpressionAttributeValues = { ":b": { S: text } };
  const input = { ...common, Key, UpdateExpression, ExpressionAttributeValues, ConditionExpression };
  return (client) => client.send(new UpdateItemCommand(input));
}

function remove(ConditionExpression?: string): MeteredRequest["send"] {
  return (client) => client.send(new DeleteItemCommand({ ...common, Key, ConditionExpression }));
}

function deletion(sk: string) {
  return { DeleteRequest: { Key: { pk: { S: "p" }, sk: { S: sk } } } };
}

function batch(requests: readonly WriteRequest[]): MeteredRequest["send"] {
  const { ReturnConsumedCapacity } = common;
  const RequestItems = { [TableName]: [...requests] };
  return (client) => client.send(new BatchWriteItemCommand({ RequestItems, ReturnConsumedCapacity }));
}

function get(ConsistentRead: boolean, ProjectionExpression?: string): MeteredRequest["send"] {
  return (client) => client.send(new GetItemCommand({ ...common, Key, ConsistentRead, ProjectionExpression }));
}

function query(
  ConsistentRead: boolean,
  { prefix = "", filter, limit }: { prefix?: string; filter?: string; limit?: number } = {},
): MeteredRequest["send"] {
  const input = {
    ...common,
    ConsistentRead,
    KeyConditionExpression: prefix === "" ? "#pk = :pk" : "#pk = :pk AND begins_with(#sk, :prefix)",
    FilterExpression: filter === undefined ? undefined : "#a = :filter",
    ExpressionAttributeNames: { "#pk": "pk", ...(prefix !== "" && { "#sk": "sk" }), ...(filter && { "#a": "a" }) },
    ExpressionAttributeValues: {
      ":pk": { S: "p" },
      ...(prefix !== "" && { ":prefix": { S: prefix } }),
      ...(filter !== undefined && { ":filter": { S: filter } }),
    },
    Limit: limit,
  };
  return (client) => client.send(new QueryCommand(input));
}
