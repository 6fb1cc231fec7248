// The section "transports": each of them, timed with the stock client on the local server and costed by AWS's prices.

import { median } from "../median.ts";
import { figure, table } from "../table.ts";
import { ServerProcess } from "../throughput/server-process.ts";
import { type Contestant, EVERY, PACKED_AND_NOT, SOCKETS } from "./contestants.ts";
import { measurePayload } from "./payload-usages.ts";
import { type Carried, carry, messageBytes, PAYLOADS, type Payload } from "./payloads.ts";
import { cost, costsOf, times, type Usage } from "./prices.ts";
import { CLIENTS, RECEIVED, runRound, SENDS, type Times } from "./round.ts";
import { measureUsages, type TransportUsage } from "./usages.ts";

const SERVER = new URL("./server.ts", import.meta.url);
const ROUNDS = 3;
const HOURS_A_MONTH = 730;
const MILLION = 1_000_000;

const MEASURES: readonly (readonly [name: string, part: keyof Times])[] = [
  ["connect: ms", "connect"],
  ["echo, 1 client: ms", "echo"],
  [`invocations by ${CLIENTS} clients, each awaited: /s`, "invocations"],
  [`${SENDS} sends by 1 client, none awaited: /s`, "sends"],
  [`${RECEIVED} messages to 1 client: /s`, "received"],
];

const NOTES = [
  `1. Invocations with a result, by ${CLIENTS} clients at once, each of which waits for its own.`,
  "2. Without the sweeper, which is the same for all. A month has 730 hours.",
  "3. Beyond the idle connection, whose function is held anyway.",
];

export async function transports(): Promise<string> {
  const usages = await measureUsages();
  const rounds: Times[][] = [];
  const carried: Carried[][][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const server = await ServerProcess.start(SERVER);
    try {
      rounds.push(await inTurn(EVERY, (contestant) => runRound(contestant, server.url)));
      carried.push(await inTurn(PAYLOADS, (payload) => inTurn(PACKED_AND_NOT, (each) => carry(each, payload, server))));
    } finally {
      await server.stop();
    }
  }
  return [
    overview(rounds, usages),
    "",
    ...NOTES,
    "",
    "Times, and medians of their ratios to WebSockets in the same round:",
    "",
    table(
      ["", ...EVERY.map(({ name }) => name)],
      MEASURES.map(([name, part]) => [name, ...EVERY.map((_, index) => besideSockets(rounds, index, part))]),
    ),
    "",
    "What an idle connection-hour is made of, in millionths of a dollar:",
    "",
    shares(usages),
    "",
    "Payloads, each figure for one message:",
    "",
    ...(await payloads(carried)),
  ].join("\n");
}

async function inTurn<Each, Result>(all: readonly Each[], run: (each: Each) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  for (const each of all) results.push(await run(each));
  return results;
}

type Usages = Readonly<Record<Contestant["transport"], TransportUsage>>;

function overview(rounds: readonly (readonly Times[])[], usages: Usages): string {
  const rows = EVERY.map(({ name, transport }, index) => {
    const { idleHour, echo } = usages[transport];
    const month = times(HOURS_A_MONTH * 1_000, idleHour);
    return [
      name,
      figure(middle(rounds, index, "connect")),
      figure(middle(rounds, index, "echo")),
      figure(middle(rounds, index, "invocations")),
      unitsOf(echo),
      unitsOf(idleHour),
      `$${cost(idleHour).toFixed(5)}`,
      dollars(cost(month)),
      dollars(cost(times(MILLION, echo))),
    ];
  });
  return table(
    [
      "transport",
      "connect ms",
      "echo ms",
      "messages/s (1)",
      "WRU + RRU: echo",
      "idle hour",
      "$: idle hour (2)",
      "1,000 idle for a month (2)",
      "million echoes (3)",
    ],
    rows,
  );
}

function middle(rounds: readonly (readonly Times[])[], index: number, part: keyof Times): number {
  return median(rounds.map((round) => round[index]?.[part] ?? Number.NaN));
}

function besideSockets(rounds: readonly (readonly Times[])[], index: number, part: keyof Times): string {
  const own = figure(middle(rounds, index, part));
  if (EVERY[index] === SOCKETS) return own;
  const sockets = EVERY.indexOf(SOCKETS);
  const ratios = rounds.map((round) => (round[index]?.[part] ?? Number.NaN) / (round[sockets]?.[part] ?? Number.NaN));
  return `${own} (${figure(median(ratios))} x)`;
}

const PARTS: readonly (readonly [name: string, parts: readonly (keyof Usage)[]])[] = [
  ["connection-minutes and messages", ["connectionMinute", "message"]],
  ["requests to the HTTP API", ["httpRequest"]],
  ["calls of functions", ["functionCall"]],
  ["functions while they run, or are held", ["gigabyteSecond"]],
  ["reads of the table", ["readUnit"]],
  ["writes of the table", ["writeUnit"]],
];

/** MessagePack is no transport of its own. */
function shares(usages: Usages): string {
  const names = ["WebSockets", "ServerSentEvents", "LongPolling"] as const;
  const rows = PARTS.map(([part, whats]) => [
    part,
    ...names.map((name) => {
      const costs = costsOf(usages[name].idleHour);
      const own = sumOf(costs.filter(([what]) => whats.includes(what)));
      return own === 0 ? "–" : `${figure(own * MILLION)} (${figure((100 * own) / sumOf(costs))} %)`;
    }),
  ]);
  return table(["", ...names], rows);
}

function sumOf(costs: readonly (readonly [unknown, number])[]): number {
  return costs.reduce((sum, [, each]) => sum + each, 0);
}

async function payloads(carried: readonly (readonly (readonly Carried[])[])[]): Promise<string[]> {
  const rows = await inTurn(PAYLOADS, (payload) =>
    inTurn(PACKED_AND_NOT, async (contestant) => {
      const own = carried.flatMap(
        (round) => round[PAYLOADS.indexOf(payload)]?.[PACKED_AND_NOT.indexOf(contestant)] ?? [],
      );
      return payloadRow(contestant, payload, own);
    }),
  );
  const header = ["", "bytes", "on the wire", "requests", "server CPU ms", "latency ms", "WRU + RRU", "$: a million"];
  return PAYLOADS.flatMap(({ name }, index) => [table([name, ...header.slice(1)], rows[index] ?? []), ""]).slice(0, -1);
}

async function payloadRow(contestant: Contestant, payload: Payload, own: readonly Carried[]): Promise<string[]> {
  const of = (part: keyof Carried) => figure(median(own.map((each) => each[part])));
  const usage = await measurePayload(contestant, payload);
  const bytes = messageBytes(contestant, payload);
  return [
    contestant.name,
    figure(bytes),
    of("wire"),
    contestant === SOCKETS ? "–" : of("requests"),
    of("cpu"),
    of("latency"),
    unitsOf(usage),
    dollars(cost(times(MILLION, usage))),
  ];
}

function unitsOf({ writeUnit = 0, readUnit = 0 }: Usage): string {
  return `${writeUnit.toLocaleString("en-US")} + ${readUnit.toLocaleString("en-US")}`;
}

function dollars(amount: number): string {
  return amount.toLocaleString("en-US", { style: "currency", currency: "USD" });
}
