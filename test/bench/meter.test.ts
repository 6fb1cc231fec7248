// The meter's bill for each request against the one worked out by hand; and, where it is installed, against what a
// second engine says that it took.

import { ConditionalCheckFailedException, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { afterAll, describe, expect, it } from "vitest";
import { Meter } from "../../bench/units/meter.ts";
import { openEmbeddedDynamoDB } from "../../lambdas/local/index.ts";
import { resolveDynoxide, startDynoxide } from "../aws/dynoxide.ts";
import { createMeteredTable, give, type MeteredRequest, meteredRequests, takeAll } from "./metered-requests.ts";

const SETTINGS = { region: "local", credentials: { accessKeyId: "local", secretAccessKey: "local" } };

describe("the meter", async () => {
  const engine = await openEmbeddedDynamoDB();
  afterAll(() => engine.close());
  const metered = await openMetered(() => new DynamoDBClient({ ...SETTINGS, requestHandler: engine.requestHandler }));

  it.each(meteredRequests)("bills $title", async ({ writeUnits = 0, readUnits = 0, ...request }) => {
    const { bill } = await metered(request);
    expect(bill).toEqual({ writeUnits, readUnits, callsInSequence: 1 });
  });
});

const binary = resolveDynoxide();
if (binary === undefined) {
  console.info("The meter is not compared with a second engine: npm install --no-save @dynoxide/linux-x64@1.2.1.");
}

describe.skipIf(binary === undefined)("the meter, on a second engine,", async () => {
  if (binary === undefined) return;
  const engine = await startDynoxide(binary);
  afterAll(() => engine.close());
  const metered = await openMetered(() => new DynamoDBClient({ ...SETTINGS, endpoint: engine.url }));

  const comparable = meteredRequests.filter(({ onlyByHand }) => !onlyByHand);
  it.each(comparable)("bills $title as that does", async (request) => {
    const { bill, answer } = await metered(request);
    expect([answer?.ConsumedCapacity].flat()).toMatchObject([{ CapacityUnits: bill.writeUnits + bill.readUnits }]);
  });
});

/** Sends a request to an emptied table; `answer` is undefined if it was refused. */
async function openMetered(open: () => DynamoDBClient) {
  const observer = open();
  const client = open();
  const meter = new Meter(observer, ["pk", "sk"]);
  meter.attach(client);
  await createMeteredTable(observer);
  return async ({ given, send }: Pick<MeteredRequest, "given" | "send">) => {
    await takeAll(observer);
    await give(observer, given);
    const { bill, result: answer } = await meter.record(() => send(client).catch(unlessRefused));
    return { bill, answer };
  };
}

function unlessRefused(error: unknown): undefined {
  if (!(error instanceof ConditionalCheckFailedException)) throw error;
}
