// The section "overhead": the processor time of an invocation, beside a handler that does nothing but answer.

import { ApiGatewayManagementApiClient, PostToConnectionCommand } from "@aws-sdk/client-apigatewaymanagementapi";
import { recordAnswers } from "../lifetime/recorded-answers.ts";
import { median } from "../median.ts";
import { figure, table } from "../table.ts";
import { messageEvent } from "../units/events.ts";
import { invocation, openClient, openMeteredHub } from "../units/metered-hub.ts";

const ROUNDS = 9;
const MESSAGES = 300;
const FRAME = invocation("echo", "x".repeat(64));

type Handle = () => Promise<unknown>;

export async function overhead(): Promise<string> {
  const cloud = await openMeteredHub();
  try {
    const { id } = await openClient(cloud);
    const { record, replay } = recordAnswers(cloud.requestHandler);
    const event = messageEvent(id, FRAME, cloud.clock.now());
    await cloud.receiver(record)(event);
    const receive = cloud.receiver(replay);
    const post = bareHandler();
    const rounds: { readonly ours: number; readonly bare: number }[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push({ ours: await cpuOf(() => receive(event)), bare: await cpuOf(() => post(event)) });
    }
    // The first one warms up.
    const measured = rounds.slice(1);
    const middle = (part: "ours" | "bare") => figure(median(measured.map((each) => each[part])));
    const ratio = figure(median(measured.map(({ ours, bare }) => ours / bare)));
    return table(
      ["CPU ms of a message", "this package", "bare handler", "ratio"],
      [["invocation with a result", middle("ours"), middle("bare"), `${ratio} x`]],
    );
  } finally {
    await cloud.close();
  }
}

/** What could be less: parse the message, post the answer. */
function bareHandler(): (event: ReturnType<typeof messageEvent>) => Promise<void> {
  const client = new ApiGatewayManagementApiClient({
    region: "local",
    credentials: { accessKeyId: "local", secretAccessKey: "local" },
    endpoint: "https://connections.invalid/prod",
    requestHandler: { handle: async () => ({ response: { statusCode: 200, headers: {}, body: Buffer.from("{}") } }) },
  });
  return async ({ body, requestContext: { connectionId: ConnectionId } }) => {
    const {
      invocationId,
      arguments: [result],
    } = JSON.parse(body.slice(0, -1));
    const Data = `${JSON.stringify({ type: 3, invocationId, result })}\u001e`;
    await client.send(new PostToConnectionCommand({ ConnectionId, Data }));
  };
}

/** Processor milliseconds each. */
async function cpuOf(handle: Handle): Promise<number> {
  const before = process.cpuUsage();
  for (let message = 0; message < MESSAGES; message++) await handle();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / MESSAGES;
}
