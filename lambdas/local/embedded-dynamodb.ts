// DynamoDB inside this process: dynalite's engine behind an AWS SDK request handler, without its HTTP server.
//
// The engine is used, not the server, because the server throws what goes wrong in the engine as an uncaught exception
// (a locked directory, a request after close), cannot be closed unless it listens, and parses HTTP that nobody sent.

import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import db, { type ActionError, type Store } from "dynalite/db/index.js";
import validations from "dynalite/validations/index.js";
import { inProcessHandler, type SdkRequestHandler, type ServiceResponse } from "./in-process-handler.ts";

export interface EmbeddedDynamoDB {
  /** `requestHandler` of a DynamoDBClient. Region and credentials may be anything. */
  readonly requestHandler: SdkRequestHandler;
  /** Lets running requests finish. Those that come later are rejected. */
  close(): Promise<void>;
}

export interface EmbeddedDynamoDBOptions {
  /** Where tables are kept, created if missing. @default in memory */
  readonly dataDir?: string;
}

/** LevelDB lets one process at a time into a directory. */
export class DataDirInUseError extends Error {
  override readonly name = "DataDirInUseError";
  readonly code = "data_dir_in_use";

  constructor(dataDir: string, cause: unknown) {
    super(`The data directory ${dataDir} is in use. Stop the process that holds it, or choose another directory.`, {
      cause,
    });
  }
}

/** What the engine knows. Others, transactions and UpdateTimeToLive among them, answer UnknownOperationException. */
const OPERATIONS = [
  "BatchGetItem",
  "BatchWriteItem",
  "CreateTable",
  "DeleteItem",
  "DeleteTable",
  "DescribeTable",
  "DescribeTimeToLive",
  "GetItem",
  "ListTables",
  "ListTagsOfResource",
  "PutItem",
  "Query",
  "Scan",
  "TagResource",
  "UntagResource",
  "UpdateItem",
  "UpdateTable",
] as const;

const UNKNOWN_OPERATION = { __type: "com.amazon.coral.service#UnknownOperationException" };

interface Operation {
  readonly action: (store: Store, data: object, done: (error: ActionError | null, result?: object) => void) => void;
  readonly validation: { readonly types: object; readonly custom: unknown };
}

/**
 * Opens the embedded DynamoDB.
 *
 * @throws DataDirInUseError if another process, or this one, has the directory open.
 */
export async function openEmbeddedDynamoDB({ dataDir }: EmbeddedDynamoDBOptions = {}): Promise<EmbeddedDynamoDB> {
  const store = await openStore(dataDir);
  const operations = loadOperations();
  const running = new Set<Promise<unknown>>();
  let closed: Promise<void> | undefined;

  async function run(name: string, body: Buffer): Promise<ServiceResponse> {
    const operation = operations.get(name);
    if (operation === undefined) return respond(400, UNKNOWN_OPERATION);
    try {
      const result = await perform(store, operation, JSON.parse(body.toString()));
      await tableSettled(store, operations, name, result);
      return respond(200, result);
    } catch (error) {
      const { statusCode, body } = error as ActionError;
      if (statusCode === undefined) throw error;
      return respond(statusCode, body ?? {});
    }
  }

  return {
    requestHandler: inProcessHandler(async ({ headers, body }) => {
      if (closed) throw new Error("The embedded DynamoDB is closed. Stop what uses it before closing it.");
      const [, name = ""] = String(headers["x-amz-target"]).split(".");
      const response = run(name, body);
      running.add(response);
      return response.finally(() => running.delete(response));
    }),
    close() {
      closed ??= Promise.allSettled(running).then(() => store.lifecycleManager.gracefulClose());
      return closed;
    },
  };
}

async function openStore(dataDir: string | undefined): Promise<Store> {
  if (dataDir !== undefined) {
    await mkdir(dataDir, { recursive: true }).catch((error) => {
      throw new TypeError(`'${dataDir}' cannot be used as a data directory. Name a directory, or one to create.`, {
        cause: error,
      });
    });
  }
  const store = db.create({ path: dataDir, createTableMs: 0, deleteTableMs: 0, updateTableMs: 0 });
  try {
    await store.db.open();
  } catch (error) {
    const isLocked = (error as { cause?: { code?: string } }).cause?.code === "LEVEL_LOCKED";
    throw isLocked && dataDir !== undefined ? new DataDirInUseError(dataDir, error) : error;
  }
  return store;
}

function loadOperations(): ReadonlyMap<string, Operation> {
  const require = createRequire(import.meta.url);
  const load = (name: string): Operation => {
    const file = name.charAt(0).toLowerCase() + name.slice(1);
    return { action: require(`dynalite/actions/${file}.js`), validation: require(`dynalite/validations/${file}.js`) };
  };
  return new Map(OPERATIONS.map((name) => [name, load(name)]));
}

/** Rejects with an ActionError. */
function perform(store: Store, { action, validation }: Operation, input: unknown): Promise<object> {
  return new Promise((resolve, reject) => {
    const data = validations.checkTypes(input, validation.types);
    validations.checkValidations(data, validation.types, validation.custom, store);
    action(store, data, (error, result = {}) => (error ? reject(error) : resolve(result)));
  });
}

/**
 * Even with no time to take, the engine creates and deletes a table some ticks after it has answered. The SDK's waiters
 * then wait 20 seconds for a second look, so the answer is held back until the table is what it will be.
 */
async function tableSettled(
  store: Store,
  operations: ReadonlyMap<string, Operation>,
  name: string,
  result: { TableDescription?: { TableName: string } },
): Promise<void> {
  const describe = operations.get("DescribeTable");
  const table = result.TableDescription?.TableName;
  if (describe === undefined || table === undefined || !["CreateTable", "DeleteTable"].includes(name)) return;
  for (;;) {
    const status = await perform(store, describe, { TableName: table }).then(
      (description) => (description as { Table: { TableStatus: string } }).Table.TableStatus,
      () => "DELETED",
    );
    if (status === "ACTIVE" || status === "DELETED") return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function respond(statusCode: number, body: object): ServiceResponse {
  const headers = { "content-type": "application/x-amz-json-1.0", "x-amzn-requestid": randomUUID() };
  return { statusCode, headers, body: JSON.stringify(body) };
}
