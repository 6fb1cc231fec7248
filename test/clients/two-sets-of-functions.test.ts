// Functions share a table and nothing else: two complete sets of them, as two deployments' worth of cold starts, take
// turns with every event behind one gateway. Whoever sends is served by one set, whoever receives by the other.

import { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi";
import { CreateTableCommand, DynamoDBClient } from "@aws-sdk/client-dynamodb";
import { HubConnectionBuilder, NullLogger } from "@microsoft/signalr";
import { defineHub, defineService } from "signalr-lambda";
import { expect, it, onTestFinished } from "vitest";
import { connectionTokens } from "../../lambdas/auth/index.ts";
import { apiGatewayTransports, dynamoDBStore, tableDefinition } from "../../lambdas/aws/index.ts";
import {
  connectHandler,
  disconnectHandler,
  messageHandler,
  negotiateHandler,
  pollHandler,
  streamHandler,
  sweepHandler,
  workHandler,
} from "../../lambdas/handlers.ts";
import { jsonLog } from "../../lambdas/json-log.ts";
import { type Functions, openEmbeddedDynamoDB, startGateway } from "../../lambdas/local/index.ts";
import { core } from "../../lambdas/protocol/index.ts";
import { systemRandom } from "../../lambdas/system.ts";
import { FakeClock } from "../fake-clock.ts";
import { Arrivals } from "../local/local-gateway.ts";
import { NO_RUNNERS, NO_WORKERS } from "../no-workers.ts";
import { calls } from "./running-service.ts";

const SDK = { region: "local", credentials: { accessKeyId: "local", secretAccessKey: "local" } };
const TABLE = "signalr";
const SECRET = "what both sets sign connection tokens with";

interface Client {
  receive(set: string, text: string): void;
}

/** Which of the two sets serves an event: of a socket, or of nobody's yet. */
type Routing = (transportId: string | undefined) => 0 | 1;

/** Sockets take turns. Negotiate is served by the other set than the connect behind it. */
function bySocket(): Routing {
  const sets = new Map<string, 0 | 1>();
  return (transportId) => {
    if (transportId === undefined) return sets.size % 2 === 0 ? 1 : 0;
    const set = sets.get(transportId) ?? (sets.size % 2 === 0 ? 0 : 1);
    sets.set(transportId, set);
    return set;
  };
}

/** Events take turns, so both sets serve every connection. */
function byEvent(): Routing {
  let events = 0;
  return () => (events++ % 2 === 0 ? 0 : 1);
}

it.each([
  ["sockets", bySocket],
  ["events", byEvent],
])("lets clients talk, keep things and leave when %s take turns", async (_title, route) => {
  const { url, left } = await openGateway(route());
  const [ada, bob] = [await connect(url), await connect(url)];
  const [adas, bobs] = [calls(ada, "receive"), calls(bob, "receive")];
  for (const connection of [ada, bob]) await connection.invoke("join", "red");

  const senders = new Set<unknown>();
  for (const [connection, text] of [
    [ada, "from Ada"],
    [bob, "from Bob"],
    [ada, "again"],
  ] as const) {
    const sender = await connection.invoke("tell", "red", text);
    senders.add(sender);
    for (const received of [adas, bobs]) expect(await received.next()).toEqual([sender, text]);
  }
  expect([...senders].sort()).toEqual(["one", "two"]);

  await ada.invoke("keep", "color", "green");
  expect([await ada.invoke("kept", "color"), await ada.invoke("kept", "color")]).toEqual(["green", "green"]);
  await ada.stop();
  expect(await left.next()).toEqual(["red"]);
  expect(await bobs.next()).toEqual([expect.any(String), "left"]);
  await bob.stop();
  expect(await left.next()).toEqual(["red"]);
});

async function connect(url: string) {
  const connection = new HubConnectionBuilder().withUrl(`${url}/chat`).configureLogging(NullLogger.instance).build();
  onTestFinished(() => connection.stop());
  await connection.start();
  return connection;
}

async function openGateway(route: Routing) {
  const database = await openEmbeddedDynamoDB();
  const { requestHandler } = database;
  await new DynamoDBClient({ ...SDK, requestHandler }).send(new CreateTableCommand(tableDefinition(TABLE)));
  const left = new Arrivals<readonly string[]>();
  const clock = new FakeClock();
  const log = jsonLog(() => undefined);

  const serving = (transportId?: string) => sets[route(transportId)];
  const gateway = await startGateway({
    clock,
    log,
    functions: {
      connect: (event, context) => serving(event.requestContext.connectionId).connect(event, context),
      message: (event, context) =>
        serving("requestContext" in event ? event.requestContext.connectionId : event.transportId).message(
          event,
          context,
        ),
      disconnect: (event, context) => serving(event.requestContext.connectionId).disconnect(event, context),
      negotiate: (event, context) => serving().negotiate(event, context),
      poll: (event, context) => serving().poll(event, context),
      stream: (event, context, response) => serving().stream(event, context, response),
      work: async () => undefined,
      sweep: async () => undefined,
    },
  });
  onTestFinished(async () => {
    await gateway.close();
    await database.close();
  });
  const sets = [functionsOf("one"), functionsOf("two")] as const;
  return { url: gateway.url, left };

  /** A set as the cloud has it: every client, port and definition its own. */
  function functionsOf(set: string): Functions {
    const store = dynamoDBStore(new DynamoDBClient({ ...SDK, requestHandler }), TABLE);
    const client = new ApiGatewayManagementApiClient({
      ...SDK,
      endpoint: gateway.callbackUrl,
      requestHandler: gateway.requestHandler,
      maxAttempts: 1,
    });
    const ports = {
      service: defineService({ hubs: { chat: chatOf(set, left) } }),
      authenticate: undefined,
      tokens: connectionTokens(SECRET),
      store,
      transports: apiGatewayTransports({ client, clock, log }),
      dialect: core,
      workers: NO_WORKERS,
      runners: NO_RUNNERS,
      log,
      clock,
      random: systemRandom,
    };
    return {
      connect: connectHandler(ports),
      message: messageHandler(ports),
      disconnect: disconnectHandler(ports),
      negotiate: negotiateHandler(ports),
      poll: pollHandler(ports),
      stream: streamHandler(ports),
      work: workHandler(ports),
      sweep: sweepHandler(ports),
    };
  }
}

function chatOf(set: string, left: Arrivals<readonly string[]>) {
  return defineHub<Client>()({
    methods: {
      join: (hub, group: string) => hub.groups.add(group),
      async tell(hub, group: string, text: string) {
        await hub.clients.group(group).receive(set, text);
        return set;
      },
      keep: (hub, key: string, value: string) => void hub.items.set(key, value),
      kept: (hub, key: string) => hub.items.get(key),
    },
    async onDisconnected(hub) {
      await hub.clients.others.receive(set, "left");
      left.push(await hub.groups.list());
    },
  });
}
