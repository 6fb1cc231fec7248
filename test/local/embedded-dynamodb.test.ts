import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  BatchWriteItemCommand,
  CreateTableCommand,
  DeleteTableCommand,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
  ScanCommand,
  TransactWriteItemsCommand,
  UpdateItemCommand,
  waitUntilTableExists,
  waitUntilTableNotExists,
} from "@aws-sdk/client-dynamodb";
import { describe, expect, it, onTestFinished } from "vitest";
import { deleteExpired, openEmbeddedDynamoDB } from "../../lambdas/local/index.ts";

async function open(dataDir?: string) {
  const database = await openEmbeddedDynamoDB(dataDir === undefined ? {} : { dataDir });
  onTestFinished(() => database.close());
  const client = new DynamoDBClient({
    region: "eu-central-1",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    requestHandler: database.requestHandler,
  });
  return { ...database, client };
}

async function temporaryDirectory() {
  const directory = await mkdtemp(join(tmpdir(), "signalr-lambda-"));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const createTable = (client: DynamoDBClient) =>
  client.send(
    new CreateTableCommand({
      TableName: "things",
      BillingMode: "PAY_PER_REQUEST",
      AttributeDefinitions: [
        { AttributeName: "pk", AttributeType: "S" },
        { AttributeName: "sk", AttributeType: "S" },
      ],
      KeySchema: [
        { AttributeName: "pk", KeyType: "HASH" },
        { AttributeName: "sk", KeyType: "RANGE" },
      ],
    }),
  );

const key = (name: string) => ({ pk: { S: name }, sk: { S: "x" } });
const put = (client: DynamoDBClient, name: string, attributes = {}) =>
  client.send(new PutItemCommand({ TableName: "things", Item: { ...key(name), ...attributes } }));
const names = async (client: DynamoDBClient) => {
  const { Items = [] } = await client.send(new ScanCommand({ TableName: "things" }));
  return Items.map((item) => item.pk?.S).sort();
};

describe("the embedded DynamoDB", () => {
  it("serves an unmodified client", async () => {
    const { client } = await open();
    await createTable(client);
    await put(client, "a", { text: { S: "héllo 🌍" } });
    const { Item, $metadata } = await client.send(new GetItemCommand({ TableName: "things", Key: key("a") }));
    expect(Item).toEqual({ ...key("a"), text: { S: "héllo 🌍" } });
    expect($metadata).toMatchObject({ httpStatusCode: 200, requestId: expect.any(String), attempts: 1 });
  });

  it("has a table ready, or gone, when it has answered: the SDK's waiters wait 20 seconds for a second look", async () => {
    const { client } = await open();
    await createTable(client);
    const waiting = { client, maxWaitTime: 30 };
    const started = performance.now();
    await waitUntilTableExists(waiting, { TableName: "things" });
    await client.send(new DeleteTableCommand({ TableName: "things" }));
    await waitUntilTableNotExists(waiting, { TableName: "things" });
    expect(performance.now() - started).toBeLessThan(15_000);
    await createTable(client);
  });

  it("fails with DynamoDB's own exceptions", async () => {
    const { client } = await open();
    const missing = client.send(new GetItemCommand({ TableName: "things", Key: key("a") }));
    await expect(missing).rejects.toMatchObject({ name: "ResourceNotFoundException" });
    await createTable(client);
    await expect(createTable(client)).rejects.toMatchObject({ name: "ResourceInUseException" });
    const conditional = new UpdateItemCommand({
      TableName: "things",
      Key: key("a"),
      UpdateExpression: "SET n = :n",
      ConditionExpression: "attribute_exists(pk)",
      ExpressionAttributeValues: { ":n": { N: "1" } },
    });
    await expect(client.send(conditional)).rejects.toMatchObject({ name: "ConditionalCheckFailedException" });
    const invalid = client.send(new GetItemCommand({ TableName: "things", Key: {} }));
    await expect(invalid).rejects.toMatchObject({ name: "ValidationException" });
  });

  it("does not pretend to know what the engine lacks", async () => {
    const { client } = await open();
    const transaction = client.send(new TransactWriteItemsCommand({ TransactItems: [] }));
    await expect(transaction).rejects.toMatchObject({ name: "UnknownOperationException" });
  });

  it("counts right under concurrent updates", async () => {
    const { client } = await open();
    await createTable(client);
    const add = () =>
      client.send(
        new UpdateItemCommand({
          TableName: "things",
          Key: key("a"),
          UpdateExpression: "ADD n :one",
          ExpressionAttributeValues: { ":one": { N: "1" } },
        }),
      );
    await Promise.all(Array.from({ length: 200 }, add));
    const { Item } = await client.send(new GetItemCommand({ TableName: "things", Key: key("a") }));
    expect(Item?.n).toEqual({ N: "200" });
  });

  it("keeps its tables apart from another one in memory", async () => {
    const [first, second] = await Promise.all([open(), open()]);
    await createTable(first.client);
    await expect(put(second.client, "a")).rejects.toMatchObject({ name: "ResourceNotFoundException" });
  });

  it("rejects requests after it was closed, and lets those before it finish", async () => {
    const { client, close } = await open();
    await createTable(client);
    const writing = put(client, "a");
    // The request reaches the database after the client's own steps; a second one tells when it has.
    await put(client, "b");
    await Promise.all([writing, close(), close()]);
    await expect(put(client, "c")).rejects.toThrow("The embedded DynamoDB is closed.");
  });
});

describe("the embedded DynamoDB on disk", () => {
  it("creates its directory and finds everything again", async () => {
    const dataDir = join(await temporaryDirectory(), "not", "there", "yet");
    const first = await open(dataDir);
    await createTable(first.client);
    await put(first.client, "a");
    await first.close();
    const second = await open(dataDir);
    expect(await names(second.client)).toEqual(["a"]);
  });

  const inUse = (dataDir: string) => ({
    name: "DataDirInUseError",
    code: "data_dir_in_use",
    message: `The data directory ${dataDir} is in use. Stop the process that holds it, or choose another directory.`,
  });

  it("says what to do when this process has the directory open", async () => {
    const dataDir = await temporaryDirectory();
    const { close } = await open(dataDir);
    await expect(openEmbeddedDynamoDB({ dataDir })).rejects.toMatchObject(inUse(dataDir));
    await close();
    await open(dataDir);
  });

  it("says what to do when another process has the directory open, and loses nothing to it", async () => {
    const dataDir = await temporaryDirectory();
    const { client } = await open(dataDir);
    await createTable(client);
    const script = `
      const { openEmbeddedDynamoDB } = await import(${JSON.stringify(import.meta.resolve("../../lambdas/local/embedded-dynamodb.ts"))});
      const error = await openEmbeddedDynamoDB({ dataDir: ${JSON.stringify(dataDir)} }).catch((error) => error);
      console.log(JSON.stringify({ name: error.name, code: error.code, message: error.message }));
    `;
    const node = ["--import", "tsx", "--input-type=module", "--eval", script];
    const { stdout } = await promisify(execFile)(process.execPath, node);
    expect(JSON.parse(stdout)).toEqual(inUse(dataDir));
    await put(client, "a");
    expect(await names(client)).toEqual(["a"]);
  });

  it("says when a path cannot be a directory", async () => {
    const error = { name: "TypeError", message: expect.stringContaining("/dev/null/x"), cause: { code: "ENOTDIR" } };
    await expect(openEmbeddedDynamoDB({ dataDir: "/dev/null/x" })).rejects.toMatchObject(error);
  });
});

describe("deleteExpired", () => {
  const now = Date.UTC(2026, 0, 1);
  const seconds = now / 1000;
  const options = { tableName: "things", attribute: "expiresAt", now };
  const YEAR = 365 * 24 * 60 * 60;

  it("deletes what DynamoDB would, and counts it", async () => {
    const { client } = await open();
    await createTable(client);
    await put(client, "expired", { expiresAt: { N: String(seconds - 1) } });
    await put(client, "expires now", { expiresAt: { N: String(seconds) } });
    await put(client, "expires later", { expiresAt: { N: String(seconds + 1) } });
    await put(client, "without an end");
    await put(client, "with a text for an end", { expiresAt: { S: String(seconds - 1) } });
    await put(client, "with an end more than five years ago", { expiresAt: { N: String(seconds - 5 * YEAR - 1) } });
    expect(await deleteExpired({ client, ...options })).toBe(2);
    expect(await names(client)).toEqual([
      "expires later",
      "with a text for an end",
      "with an end more than five years ago",
      "without an end",
    ]);
    expect(await deleteExpired({ client, ...options })).toBe(0);
  });

  it("spares an item that was renewed since the scan", async () => {
    const { client } = await open();
    await createTable(client);
    await put(client, "a", { expiresAt: { N: String(seconds - 1) } });
    client.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          if (commandName === "DeleteItemCommand") await put(client, "a", { expiresAt: { N: String(seconds + 60) } });
          return next(args);
        },
      { step: "initialize" },
    );
    expect(await deleteExpired({ client, ...options })).toBe(0);
    expect(await names(client)).toEqual(["a"]);
  });

  it("goes through every page of the table", async () => {
    const { client } = await open();
    await createTable(client);
    const padding = { S: "x".repeat(50_000) };
    for (let batch = 0; batch < 3; batch += 1) {
      const requests = Array.from({ length: 25 }, (_, n) => ({
        PutRequest: { Item: { ...key(`${batch}-${n}`), padding, expiresAt: { N: String(seconds - 1) } } },
      }));
      await client.send(new BatchWriteItemCommand({ RequestItems: { things: requests } }));
    }
    expect(await deleteExpired({ client, ...options })).toBe(75);
    expect(await names(client)).toEqual([]);
  });
});
