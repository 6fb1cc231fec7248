import { openMeteredHub, openClient, openSocket, sequence, connect } from "./units/metered-hub.ts";
import { Meter } from "./units/meter.ts";
const m: any = Meter.prototype;
const cloud = await openMeteredHub();
const { DynamoDBDocumentClient } = await import("@aws-sdk/lib-dynamodb");
const send = DynamoDBDocumentClient.prototype.send;
let on = false;
(DynamoDBDocumentClient.prototype as any).send = async function (c: any) {
  if (on) console.log(c.constructor.name, JSON.stringify(c.input.Key ?? c.input.Item ?? c.input.ExpressionAttributeValues), c.input.UpdateExpression ?? "", "IF", c.input.ConditionExpression ?? "");
  try { return await (send as any).call(this, c); } catch (e: any) { if (on) console.log("   refused", e.name); throw e; }
};
for (const client of [{ stateful: true }, { resumeKey: "k".repeat(40) }]) {
  const c = await openClient(cloud, client);
  await c.disconnect(1006);
  on = true;
  console.log("=== connect");
  if (client.stateful) {
    const s = await openSocket(cloud, c.connectionToken, client);
    console.log("=== first frame");
    await cloud.clock.during(s.send(sequence(1)));
  } else await cloud.clock.during(openClient(cloud, client));
  on = false;
}
process.exit(0);
