// What streams, either way, client results and long invocations take.

import {
  completion,
  invocation,
  openClient,
  openMeteredHub,
  streamInvocation,
  streamItem,
  uploadInvocation,
  whileHeld,
} from "./metered-hub.ts";
import { LOST, type Operation } from "./operation.ts";
import type { SimulatedCloud, SimulatedTransport } from "./simulated-cloud.ts";

const ITEMS = 100;
/** Between two items of an upload. Milliseconds. */
const PACE = 20;
/** Until a client has answered. Milliseconds. */
const ANSWER_TIME = 50;
const MINUTE = 60_000;

export async function measureWorkOperations(): Promise<Operation[]> {
  const cloud = await openMeteredHub();
  try {
    const client = await openClient(cloud);
    const measure = async (name: string, action: () => Promise<unknown>, budget: Operation["budget"]) => {
      const { bill } = await cloud.meter.record(() => cloud.clock.during(action().then(() => cloud.worked())));
      const { writeUnits, readUnits } = bill;
      return { name, measured: { writeUnits, readUnits }, budget };
    };
    const operations = [
      await measure("stream of no item (9)", () => client.send(streamInvocation("stream", 0)), {
        writeUnits: 5,
        readUnits: 6,
      }),
      await measure(`stream of ${ITEMS} items (9)`, () => client.send(streamInvocation("stream", ITEMS)), {
        writeUnits: 5,
        readUnits: 6,
      }),
      await measure("upload of no item (9)", () => sendItems(cloud, client, "1", 0), { writeUnits: 9, readUnits: 20 }),
      await measure(`upload of ${ITEMS} items, one every ${PACE} ms (9)`, () => sendItems(cloud, client, "2", ITEMS), {
        writeUnits: 421,
        readUnits: 169,
      }),
      await measure(`client result, answered after ${ANSWER_TIME} ms`, () => confirm(cloud, client), {
        writeUnits: 6,
        readUnits: 5,
      }),
      await measure(
        "long invocation of a minute (9)",
        () => whileHeld(client, invocation("holdLong"), () => cloud.clock.sleep(MINUTE)),
        { writeUnits: 10, readUnits: 71 },
      ),
    ];
    await client.disconnect(LOST);
    return operations;
  } finally {
    await cloud.close();
  }
}

async function sendItems(
  { clock }: SimulatedCloud,
  client: SimulatedTransport,
  streamId: string,
  count: number,
): Promise<void> {
  await client.send(uploadInvocation("collect", streamId));
  for (let item = 0; item < count; item++) {
    await client.send(streamItem(streamId, item));
    await clock.sleep(PACE);
  }
  await client.send(completion(streamId));
}

async function confirm(cloud: SimulatedCloud, client: SimulatedTransport): Promise<void> {
  const running = client.send(invocation("confirm"));
  await cloud.clock.sleep(ANSWER_TIME);
  const [question] = await cloud.clock.work(() => cloud.rows("Q#"));
  await client.send(completion(question?.pk?.S?.slice("Q#".length) ?? "", true));
  await running;
}
