// The section "throughput": the local server beside Socket.IO, in one run.

import { median } from "../median.ts";
import { figure, table } from "../table.ts";
import { signalR, socketIO } from "./protocols.ts";
import {
  CLIENTS,
  CONNECTS_AT_ONCE,
  type Contestant,
  CROWD,
  type Figures,
  runRound,
  STREAMED,
  UPLOADED,
} from "./round.ts";

const ROUNDS = 5;

const OURS: Contestant = { server: new URL("./signalr-server.ts", import.meta.url), protocol: signalR };
const THEIRS: Contestant = { server: new URL("./socket-io-server.ts", import.meta.url), protocol: socketIO };

const MEASURES: readonly (readonly [name: string, part: keyof Figures, better: "more" | "less"])[] = [
  ["echo, 1 client: round trips/s", "echoAlone", "more"],
  [`echo, ${CLIENTS} clients: round trips/s`, "echoTogether", "more"],
  [`echo, ${CLIENTS} clients: server CPU ms each`, "echoCpu", "less"],
  [`connect, ${CONNECTS_AT_ONCE} at once: ms each`, "connect", "less"],
  [`broadcast to ${CROWD}: ms to the last`, "broadcast", "less"],
  [`broadcast to ${CROWD}: server CPU ms each`, "broadcastCpu", "less"],
  [`stream of ${STREAMED}: ms to the first item`, "firstItem", "less"],
  [`stream of ${STREAMED}: items/s from there`, "streamItems", "more"],
  [`upload of ${UPLOADED}: items/s to the result`, "uploadItems", "more"],
  ["client result: ms from question to answer", "clientResult", "less"],
];

export async function throughput(): Promise<string> {
  const ours: Figures[] = [];
  const theirs: Figures[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    ours.push(await runRound(OURS));
    theirs.push(await runRound(THEIRS));
  }
  const rows = MEASURES.map(([name, part, better]) => {
    // Of the two in the same round, which the machine treated alike.
    const ratios = ours.map((own, round) => {
      const ratio = own[part] / (theirs[round]?.[part] ?? Number.NaN);
      return better === "more" ? 1 / ratio : ratio;
    });
    const middle = (figures: readonly Figures[]) => figure(median(figures.map((each) => each[part])));
    return [name, middle(ours), middle(theirs), `${figure(median(ratios))} x`];
  });
  return [
    `Medians of ${ROUNDS} rounds, both servers in each, one after the other.`,
    "",
    table(["", "local server", "Socket.IO", "Socket.IO is better by"], rows),
  ].join("\n");
}
