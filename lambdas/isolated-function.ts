// One function of `signalr-lambda dev --isolate`, in a thread of its own: what functions.ts wires for Lambda, with the
// local server's database and gateway at the other end of a port.

import { workerData } from "node:worker_threads";
import { DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { dynamoDBStore } from "./aws/index.ts";
import { jsonLog } from "./json-log.ts";
import { type FunctionName, functionThread, loadService, type ServiceBundle } from "./local/index.ts";
import { UNUSED } from "./local-database.ts";
import { handlersOf } from "./local-functions.ts";
import { stoppableClock } from "./stoppable-clock.ts";
import { systemClock } from "./system.ts";
import { logUnhandledRejections } from "./unhandled-rejections.ts";

/** What a thread is started with. */
export interface IsolatedFunctionData {
  readonly bundle: ServiceBundle;
  readonly tableName: string;
  /** Whether DynamoDB is the one of the gateway's thread, and not another engine or the cloud. */
  readonly isEmbedded: boolean;
  readonly tokenSecret: string;
  readonly originSecret: string;
}

const { name, data } = workerData as { readonly name: FunctionName; readonly data: IsolatedFunctionData };
const thread = functionThread();
// Which levels are written is the gateway's business.
const log = jsonLog((line) => thread.writeLog(line), "debug");
const clock = stoppableClock(systemClock);

// Errors name the user's lines, not the bundle's.
process.setSourceMapsEnabled(true);
logUnhandledRejections(log);
thread.onStop(() => clock.stop());

const database = data.isEmbedded
  ? new DynamoDBClient({ ...UNUSED, requestHandler: thread.requestHandler("dynamodb") })
  : new DynamoDBClient({});
const means = {
  connections: thread.requestHandler("connections"),
  lambda: thread.requestHandler("lambda"),
  tokenSecret: data.tokenSecret,
  originSecret: data.originSecret,
  clock,
  log,
};
const handlers = handlersOf(await loadService(data.bundle), means, dynamoDBStore(database, data.tableName));
thread.handle((event, context, response) => handlers[name](event, context, response));
