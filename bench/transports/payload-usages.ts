// What a message uses with its payload in it: rows are billed by the KB.

import { measure, postAndRun, shakeHands } from "../units/http-operations.ts";
import type { Bill } from "../units/meter.ts";
import { invocation, openClient, openHttp, openMeteredHub } from "../units/metered-hub.ts";
import { beyond } from "../units/operation.ts";
import type { SimulatedCloud } from "../units/simulated-cloud.ts";
import type { Contestant } from "./contestants.ts";
import { type Payload, record } from "./payloads.ts";
import { plus, type Usage } from "./prices.ts";
import { answerOf, CALL, postOf, units } from "./usages.ts";

/** Of a message that is sent and answered by a completion, or of one to a client: without what its sender uses. */
export async function measurePayload(contestant: Contestant, payload: Payload): Promise<Usage> {
  const cloud = await openMeteredHub({ transports: ["WebSockets", "LongPolling"] });
  try {
    return await (contestant.transport === "WebSockets"
      ? bySocket(cloud, payload)
      : byPolling(cloud, contestant, payload));
  } finally {
    await cloud.close();
  }
}

async function bySocket(cloud: SimulatedCloud, payload: Payload): Promise<Usage> {
  if (payload.direction === "to the client") return { message: 1 };
  const client = await openClient(cloud);
  const bill = await measure(cloud, () => client.send(invocation("take", payload.value(false))));
  return plus({ message: 2 }, CALL, units(bill));
}

async function byPolling(cloud: SimulatedCloud, { protocol }: Contestant, payload: Payload): Promise<Usage> {
  const client = await openHttp(cloud);
  await shakeHands(cloud, client, `{"protocol":"${protocol.name}","version":1}\u001e`);
  if (payload.direction === "to the client") {
    const queued = await queue(cloud, client.connectionId, payload);
    return plus(units(queued), answerOf(await measure(cloud, () => client.poll())));
  }
  const body = Buffer.from(record(protocol, payload)).toString("latin1");
  const post = await measure(cloud, () => postAndRun(cloud, client, body));
  return plus(postOf(post), answerOf(await measure(cloud, () => client.poll())));
}

/** Beyond the same to a socket. */
async function queue(cloud: SimulatedCloud, connectionId: string, payload: Payload): Promise<Bill> {
  const [sender, other] = [await openClient(cloud), await openClient(cloud)];
  const sendTo = (id: string) => measure(cloud, () => sender.send(invocation("toClient", id, payload.value(false))));
  return beyond(await sendTo(other.connectionId), await sendTo(connectionId));
}
