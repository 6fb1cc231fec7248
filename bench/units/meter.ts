// What AWS would bill and make us wait for, metered where the SDK sends it: as middleware of its clients. Sizes before
// and after a write are in no answer, so the meter looks them up through a second client that nobody meters.
//
// The embedded engine's own ConsumedCapacity is not used: it takes characters for bytes. Nobody's counts refusals.

import type { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi";
import type {
  BatchWriteItemCommandInput,
  DynamoDBClient,
  GetItemCommandInput,
  PutItemCommandInput,
  QueryCommandInput,
  QueryCommandOutput,
  UpdateItemCommandInput,
} from "@aws-sdk/client-dynamodb";
import { CallChain } from "./call-chain.ts";
import { readUnits, writeUnits } from "./capacity.ts";
import { type Item, itemSize } from "./item-size.ts";
import { scannedBytes, storedBytes } from "./observe.ts";

/** What something took. */
export interface Bill {
  readonly writeUnits: number;
  readonly readUnits: number;
  /** The longest chain of calls, to DynamoDB and `@connections`, that waited for each other. */
  readonly callsInSequence: number;
}

interface Recorded<Result> {
  readonly bill: Bill;
  /** The calls in sequence up to the first answer of `@connections`. */
  readonly callsToPost: number;
  readonly result: Result;
}

/** An item that a request writes. */
interface Write {
  readonly tableName: string | undefined;
  readonly key: Item;
  /** The size a request gives it; 0 where only the table can tell. */
  readonly attempted: number;
}

class Recording {
  readonly chain = new CallChain();
  callsToPost: number | undefined;
  writeUnits = 0;
  readUnits = 0;
}

export class Meter {
  readonly #observer: DynamoDBClient;
  readonly #keyNames: readonly string[];
  #recording: Recording | undefined;

  /** @param observer reaches the same tables and is not metered. @param keyNames the key attributes of those tables. */
  constructor(observer: DynamoDBClient, keyNames: readonly string[]) {
    this.#observer = observer;
    this.#keyNames = keyNames;
  }

  /** Meters the client from now on, and every document client made of it. */
  attach(client: DynamoDBClient): void {
    client.middlewareStack.add((next) => (args) => this.#follow(() => next(args)), CALL);
    // Behind the step in which a document client turns its values into DynamoDB's.
    client.middlewareStack.add(
      (next, { commandName = "" }) =>
        (args) =>
          this.#bill(commandName.replace(/Command$/, ""), args.input, () => next(args)),
      { step: "build", name: "requestUnits" },
    );
  }

  /** Posts have no units, but one waits for them. */
  attachToPosts(client: ApiGatewayManagementApiClient): void {
    client.middlewareStack.add(
      (next) => async (args) => {
        const recording = this.#recording;
        const answer = await this.#follow(() => next(args));
        if (recording !== undefined) recording.callsToPost ??= recording.chain.length;
        return answer;
      },
      CALL,
    );
  }

  /** Bills what `operation` sends until it settles. One at a time. */
  async record<Result>(operation: () => Promise<Result>): Promise<Recorded<Result>> {
    if (this.#recording !== undefined) throw new Error("The meter is recording already: await that first.");
    const recording = new Recording();
    this.#recording = recording;
    try {
      const result = await operation();
      const { writeUnits, readUnits, chain, callsToPost = chain.length } = recording;
      return { bill: { writeUnits, readUnits, callsInSequence: chain.length }, callsToPost, result };
    } finally {
      this.#recording = undefined;
    }
  }

  #follow<Result>(call: () => Promise<Result>): Promise<Result> {
    return this.#recording === undefined ? call() : this.#recording.chain.follow(call);
  }

  /** Sends a request and bills it, also when it is refused. */
  async #bill<Result extends { output: object }>(
    operation: string,
    input: object,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const recording = this.#recording;
    if (recording === undefined) return send();
    switch (operation) {
      case "GetItem": {
        const { TableName, Key, ConsistentRead } = input as GetItemCommandInput;
        const result = await send();
        const bytes = await storedBytes(this.#observer, TableName, Key ?? {});
        recording.readUnits += readUnits(bytes, ConsistentRead === true);
        return result;
      }
      case "Query": {
        const query = input as QueryCommandInput;
        const result = await send();
        const { ScannedCount } = result.output as QueryCommandOutput;
        const bytes = await scannedBytes(this.#observer, query, ScannedCount);
        recording.readUnits += readUnits(bytes, query.ConsistentRead === true);
        return result;
      }
      default: {
        const writes = this.#writesOf(operation, input);
        const before = await this.#sizesOf(writes);
        try {
          return await send();
        } finally {
          const after = await this.#sizesOf(writes);
          writes.forEach(({ attempted }, index) => {
            recording.writeUnits += writeUnits(Math.max(before[index] ?? 0, after[index] ?? 0, attempted));
          });
        }
      }
    }
  }

  #writesOf(operation: string, input: object): Write[] {
    switch (operation) {
      case "PutItem": {
        const { TableName, Item } = input as PutItemCommandInput;
        return [this.#put(TableName, Item ?? {})];
      }
      case "UpdateItem":
      case "DeleteItem": {
        const { TableName, Key } = input as UpdateItemCommandInput;
        return [{ tableName: TableName, key: Key ?? {}, attempted: 0 }];
      }
      case "BatchWriteItem": {
        const { RequestItems } = input as BatchWriteItemCommandInput;
        return Object.entries(RequestItems ?? {}).flatMap(([tableName, requests]) =>
          requests.map(({ PutRequest, DeleteRequest }) =>
            PutRequest === undefined
              ? { tableName, key: DeleteRequest?.Key ?? {}, attempted: 0 }
              : this.#put(tableName, PutRequest.Item ?? {}),
          ),
        );
      }
      default:
        throw new TypeError(`The meter does not know what ${operation} is billed. Teach it in bench/meter.ts.`);
    }
  }

  #put(tableName: string | undefined, item: Item): Write {
    const key = Object.entries(item).filter(([name]) => this.#keyNames.includes(name));
    return { tableName, key: Object.fromEntries(key), attempted: itemSize(item) };
  }

  #sizesOf(writes: readonly Write[]): Promise<number[]> {
    return Promise.all(writes.map(({ tableName, key }) => storedBytes(this.#observer, tableName, key)));
  }
}

const CALL = { step: "initialize", priority: "high", name: "callChain" } as const;
