// What a connection uses while it is idle, and an echo, by each transport. Units are measured; how long a function runs
// for a request is assumed.

import type { TransportName } from "signalr-lambda";
import { type HttpBills, measureHttp } from "../units/http-operations.ts";
import type { Bill } from "../units/meter.ts";
import { invocation, openClient, openMeteredHub, PING } from "../units/metered-hub.ts";
import { plus, times, type Usage } from "./prices.ts";

/** 8 ms at 512 MB, or 16 ms at 256 MB: processor time comes with memory. */
export const CALL: Usage = { functionCall: 1, gigabyteSecond: 0.004 };
/** Lambda charges for one that is asynchronous, too. */
export const REQUEST: Usage = plus({ httpRequest: 1 }, CALL);
/** At 256 MB, for as long as somebody waits. */
const HELD_HOUR: Usage = { gigabyteSecond: 0.25 * 3600 };
/** The clients' default. */
const PINGS_AN_HOUR = 240;
/** Of 25 s. */
const POLLS_AN_HOUR = 144;

export interface TransportUsage {
  readonly idleHour: Usage;
  readonly echo: Usage;
}

export async function measureUsages(): Promise<Readonly<Record<TransportName, TransportUsage>>> {
  const [sockets, http] = [await measureSockets(), await measureHttp()];
  return { WebSockets: sockets, ServerSentEvents: eventStream(http), LongPolling: longPolling(http) };
}

async function measureSockets(): Promise<TransportUsage> {
  const cloud = await openMeteredHub();
  try {
    const client = await openClient(cloud);
    const ping = (await cloud.meter.record(() => client.send(PING))).bill;
    const echo = (await cloud.meter.record(() => client.send(invocation("echo", "hello")))).bill;
    return {
      idleHour: plus({ connectionMinute: 60 }, times(PINGS_AN_HOUR, plus({ message: 2 }, CALL, units(ping)))),
      echo: plus({ message: 2 }, CALL, units(echo)),
    };
  } finally {
    await cloud.close();
  }
}

/** It pings by POST, and is pinged over its stream. Its streams' ends, every 12 to 14 minutes, are left out. */
function eventStream({ idleMinute, streamPing, post, streamReading }: HttpBills): TransportUsage {
  const pings = times(PINGS_AN_HOUR, plus(REQUEST, units(streamPing)));
  return {
    idleHour: plus(HELD_HOUR, times(60, units(idleMinute)), pings),
    echo: plus(postOf(post), units(streamReading)),
  };
}

/** It does not ping: a poll is one. */
function longPolling({ idlePoll, post, answeredPoll }: HttpBills): TransportUsage {
  return {
    idleHour: plus(HELD_HOUR, times(POLLS_AN_HOUR, plus({ httpRequest: 1, functionCall: 1 }, units(idlePoll)))),
    echo: plus(postOf(post), answerOf(answeredPoll)),
  };
}

/** Its function, and that of its errand. */
export function postOf(post: Bill): Usage {
  return plus(REQUEST, CALL, units(post));
}

/** A poll more. How long it was held before, the idle connection has paid for. */
export function answerOf(poll: Bill): Usage {
  return plus({ httpRequest: 1, functionCall: 1 }, units(poll));
}

export function units({ writeUnits, readUnits }: Bill): Usage {
  return { writeUnit: writeUnits, readUnit: readUnits };
}
