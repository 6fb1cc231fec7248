// Five DynamoDB calls, with expressions that can be read aloud: `#name` is the attribute of that name.

import type { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import {
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  QueryCommand,
  UpdateCommand,
} from "@aws-sdk/lib-dynamodb";
import type { Key } from "./table.ts";

export type Row = Record<string, unknown>;
export type Values = Readonly<Record<string, unknown>>;

export interface Page {
  readonly rows: readonly Row[];
  /** Rows read, also those a filter left out. */
  readonly scanned: number;
}

export interface QueryOptions {
  readonly prefix?: string;
  /** Only sort keys behind this one. */
  readonly after?: string;
  /** Only sort keys before this one; not together with `after`. */
  readonly before?: string;
  readonly filter?: string;
  readonly values?: Values;
  readonly consistent: boolean;
  /** Rows at most in a page. @default 1 MB of them */
  readonly limit?: number;
}

/**
 * A table, and what can be done to one of its items at a time. In conditions AND binds closer than OR; parentheses that
 * say the same cost the embedded engine, whose parser reads them again at each level.
 */
export interface TableClient {
  /** Consistent. */
  get(key: Key): Promise<Row | undefined>;
  /** False when the condition did not hold. */
  put(key: Key, attributes: Row, condition?: string): Promise<boolean>;
  /** The item as it is now; undefined when the condition did not hold. */
  update(key: Key, update: string, condition: string | undefined, values: Values): Promise<Row | undefined>;
  /** Sets and removes attributes of any name on an item that exists; several steps when there are hundreds. False if there is none. */
  amend(key: Key, set: Readonly<Record<string, unknown>>, remove: readonly string[]): Promise<boolean>;
  /** What was deleted; undefined when nothing was, or the condition did not hold. */
  delete(key: Key, condition?: string, values?: Values): Promise<Row | undefined>;
  /** A partition page by page, in the order of its sort keys. The first page is on its way when this returns. */
  query(pk: string, options: QueryOptions): AsyncIterable<Page>;
  /** How many rows a query would find; costs the same. */
  count(pk: string, options: QueryOptions): Promise<number>;
}

/** An expression has at most 4 KB. */
const CHANGES_AT_ONCE = 200;

export function tableClient(client: DynamoDBClient, tableName: string): TableClient {
  const documents = DynamoDBDocumentClient.from(client, { marshallOptions: { removeUndefinedValues: true } });
  const table = { TableName: tableName };

  async function amendSome(key: Key, changes: readonly (readonly [string, unknown])[]): Promise<boolean> {
    const indexes = changes.map((_, index) => index);
    const sets = indexes.filter((index) => changes[index]?.[1] !== undefined);
    const removes = indexes.filter((index) => changes[index]?.[1] === undefined);
    const clauses = [
      sets.length > 0 && `SET ${sets.map((index) => `#a${index} = :v${index}`)}`,
      removes.length > 0 && `REMOVE ${removes.map((index) => `#a${index}`)}`,
    ];
    const done = await unlessRefused(
      documents.send(
        new UpdateCommand({
          ...table,
          Key: { ...key },
          UpdateExpression: clauses.filter(Boolean).join(" "),
          ConditionExpression: "attribute_exists(pk)",
          ExpressionAttributeNames: Object.fromEntries(changes.map(([name], index) => [`#a${index}`, name])),
          ...(sets.length > 0 && {
            ExpressionAttributeValues: Object.fromEntries(sets.map((index) => [`:v${index}`, changes[index]?.[1]])),
          }),
        }),
      ),
    );
    return done !== undefined;
  }

  return {
    async get(key) {
      const { Item } = await documents.send(new GetCommand({ ...table, Key: { ...key }, ConsistentRead: true }));
      return Item;
    },
    async put(key, attributes, condition) {
      const done = await unlessRefused(
        documents.send(
          new PutCommand({
            ...table,
            Item: { ...attributes, ...key },
            ...(condition !== undefined && { ConditionExpression: condition, ...names(condition) }),
          }),
        ),
      );
      return done !== undefined;
    },
    async update(key, update, condition, values) {
      const done = await unlessRefused(
        documents.send(
          new UpdateCommand({
            ...table,
            Key: { ...key },
            UpdateExpression: update,
            ...(condition !== undefined && { ConditionExpression: condition }),
            ...names(`${update} ${condition ?? ""}`),
            ...(Object.keys(values).length > 0 && { ExpressionAttributeValues: values }),
            ReturnValues: "ALL_NEW",
          }),
        ),
      );
      return done?.Attributes;
    },
    async amend(key, set, remove) {
      const changes = [...Object.entries(set), ...remove.map((name) => [name, undefined] as const)];
      for (let start = 0; start < changes.length; start += CHANGES_AT_ONCE) {
        if (!(await amendSome(key, changes.slice(start, start + CHANGES_AT_ONCE)))) return false;
      }
      return true;
    },
    async delete(key, condition, values) {
      const done = await unlessRefused(
        documents.send(
          new DeleteCommand({
            ...table,
            Key: { ...key },
            ...(condition !== undefined && { ConditionExpression: condition, ...names(condition) }),
            ...(values !== undefined && { ExpressionAttributeValues: values }),
            ReturnValues: "ALL_OLD",
          }),
        ),
      );
      return done?.Attributes;
    },
    query(pk, options) {
      const send = (start: Row | undefined) =>
        documents.send(new QueryCommand({ ...table, ...toQuery(pk, options), ExclusiveStartKey: start }));
      const first = send(undefined);
      // Whoever never comes to read this partition has no use for its error either.
      first.catch(() => undefined);
      return pages(first, send);
    },
    async count(pk, options) {
      let count = 0;
      let start: Row | undefined;
      do {
        const page = await documents.send(
          new QueryCommand({ ...table, ...toQuery(pk, options), Select: "COUNT", ExclusiveStartKey: start }),
        );
        count += page.Count ?? 0;
        start = page.LastEvaluatedKey;
      } while (start !== undefined);
      return count;
    },
  };
}

function toQuery(pk: string, { prefix, after, before, filter, values, consistent, limit }: QueryOptions) {
  const ranges = [
    "",
    ...(prefix === undefined ? [] : ["begins_with(#sk, :prefix)"]),
    ...(after === undefined ? [] : ["#sk > :after"]),
    ...(before === undefined ? [] : ["#sk < :before"]),
  ];
  const condition = `#pk = :pk${ranges.join(" AND ")}`;
  return {
    KeyConditionExpression: condition,
    ...(filter !== undefined && { FilterExpression: filter }),
    ...names(`${condition} ${filter ?? ""}`),
    ExpressionAttributeValues: {
      ":pk": pk,
      ...(prefix !== undefined && { ":prefix": prefix }),
      ...(after !== undefined && { ":after": after }),
      ...(before !== undefined && { ":before": before }),
      ...values,
    },
    ConsistentRead: consistent,
    ...(limit !== undefined && { Limit: limit }),
  };
}

async function* pages(first: ReturnType<TableQuery>, next: TableQuery): AsyncGenerator<Page> {
  let page = await first;
  for (;;) {
    yield { rows: page.Items ?? [], scanned: page.ScannedCount ?? 0 };
    if (page.LastEvaluatedKey === undefined) return;
    page = await next(page.LastEvaluatedKey);
  }
}

type TableQuery = (start: Row | undefined) => Promise<{
  readonly Items?: Row[] | undefined;
  readonly ScannedCount?: number | undefined;
  readonly LastEvaluatedKey?: Row | undefined;
}>;

function names(expression: string): { readonly ExpressionAttributeNames?: Record<string, string> } {
  const found = expression.match(/#\w+/g);
  if (found === null) return {};
  return { ExpressionAttributeNames: Object.fromEntries(found.map((name) => [name, name.slice(1)])) };
}

/** A condition that does not hold is an answer, not an error. */
async function unlessRefused<Result>(request: Promise<Result>): Promise<Result | undefined> {
  try {
    return await request;
  } catch (error) {
    if (error instanceof Error && error.name === "ConditionalCheckFailedException") return undefined;
    throw error;
  }
}
