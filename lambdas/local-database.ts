// The table of a local server: embedded, unless the SDK's own `AWS_ENDPOINT_URL_DYNAMODB` names another engine.

import {
  CreateTableCommand,
  DynamoDBClient,
  ResourceInUseException,
  waitUntilTableExists,
} from "@aws-sdk/client-dynamodb";
import { tableDefinition } from "./aws/index.ts";
import { openEmbeddedDynamoDB, type SdkRequestHandler } from "./local/index.ts";

export interface LocalDatabase {
  readonly client: DynamoDBClient;
  readonly tableName: string;
  /** Of the engine in this process; undefined when it is another. */
  readonly requestHandler: SdkRequestHandler | undefined;
  close(): Promise<void>;
}

/** What the SDK insists on and nobody reads here. */
export const UNUSED = { region: "local", credentials: { accessKeyId: "local", secretAccessKey: "local" } };

/** The same as a process is told it, beside where the database is. */
export const UNUSED_ENVIRONMENT = {
  AWS_REGION: UNUSED.region,
  AWS_ACCESS_KEY_ID: UNUSED.credentials.accessKeyId,
  AWS_SECRET_ACCESS_KEY: UNUSED.credentials.secretAccessKey,
};

const TABLE = "signalr-lambda";

/** Opens the database and creates the table if it is not there. */
export async function openLocalDatabase(dataDir: string | undefined): Promise<LocalDatabase> {
  const database = process.env.AWS_ENDPOINT_URL_DYNAMODB === undefined ? await openEmbedded(dataDir) : openOther();
  await createTable(database.client);
  return { ...database, tableName: TABLE };
}

type Opened = Omit<LocalDatabase, "tableName">;

async function openEmbedded(dataDir: string | undefined): Promise<Opened> {
  const embedded = await openEmbeddedDynamoDB(dataDir === undefined ? {} : { dataDir });
  return {
    client: embeddedClient(embedded.requestHandler),
    requestHandler: embedded.requestHandler,
    close: () => embedded.close(),
  };
}

/** Signs nothing: nobody would read it, and it takes time with every request. */
export function embeddedClient(requestHandler: SdkRequestHandler): DynamoDBClient {
  return new DynamoDBClient({ ...UNUSED, signer: { sign: async (request) => request }, requestHandler });
}

/** Region and credentials come from where the SDK always finds them. */
function openOther(): Opened {
  const client = new DynamoDBClient({});
  return { client, requestHandler: undefined, close: async () => client.destroy() };
}

async function createTable(client: DynamoDBClient): Promise<void> {
  try {
    await client.send(new CreateTableCommand(tableDefinition(TABLE)));
  } catch (error) {
    // Kept from the last time, on disk or in the other engine.
    if (!(error instanceof ResourceInUseException)) throw error;
  }
  await waitUntilTableExists({ client, minDelay: 1, maxWaitTime: 60 }, { TableName: TABLE });
}
