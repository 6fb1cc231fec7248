// What a stateful client sent, counted on both sides. Each message counts once, also when the client repeats it by its
// next transport because the acknowledgement had not come. Functions finish in any order, and a transport may be taken
// over while some of its frames are still on their way: so it is not the first ones that have arrived, but some, told
// apart by their contents. Equal messages are interchangeable.
//
//   frame:     received + n, fingerprints noted                      (the write that every frame makes anyway)
//   ack:       received − those so new that one before them may be missing still
//   Sequence:  client repeats from k: received − k + 1 are known to come again → expected
//   repeated:  expected? forget it there : count it

import { type ClientMessage, type Dialect, isCounted, toPortable } from "../protocol/index.ts";
import {
  MOST_RECEIPTS,
  type Receipt,
  type Tally,
  type TallyChange,
  type TransportState,
  type Trim,
  type Turn,
} from "./connection-state.ts";
import type { Clock, Transports } from "./ports.ts";
import type { Store } from "./store.ts";

/** How much later than the frame behind it a frame's function may begin. Milliseconds. */
const SETTLING = 3_000;
/** A client that was silent for so long after its messages were acknowledged has read the acknowledgement. Milliseconds. */
const IDLE = 30_000;
/** A client that got an acknowledgement in time repeats nothing older. Milliseconds. */
const REPEATABLE = 10_000;
/** A frame with more messages is counted by somebody who has looked, and may keep so many in all. */
const LARGE_FRAME = 16;
const MOST_KEPT = 500;

interface Arriving {
  readonly transportId: string;
  readonly messageId: string;
  readonly receivedAt: number;
}

interface Arrival {
  readonly state: TransportState;
  /** Places of messages that had come before. */
  readonly repeated: readonly number[];
  /** Whether it took more than the one write: what was read beside it may be old. */
  readonly isLate: boolean;
}

interface ArrivalPorts {
  readonly store: Store;
  readonly clock: Clock;
  readonly transports: Transports;
}

/** How long a frame waits for its transport to be taken up: longer than a Sequence may take. Milliseconds. */
const RESUME_TIME = 10_000;
/** How long after that it may take until all such frames are counted. Milliseconds. */
export const LATE_COUNTING = 8_000;
const FIRST_PAUSE = 50;
const LAST_PAUSE = 1_000;
/** How often a frame is tried to be counted without a pause. */
const AT_ONCE = 3;

/**
 * A frame has come: moves the deadline, takes the turn if `toTurn` makes one, and counts the messages. While the client
 * has not said which ones it repeats, only those are let through that do not count, and the one that may say it
 * (`opens`). Undefined when the transport takes no frames any more.
 */
export async function arrive(
  { store, clock, transports }: ArrivalPorts,
  arriving: Arriving,
  messages: readonly ClientMessage[],
  opens: boolean,
  deadline: number,
  toTurn?: (messages: readonly ClientMessage[]) => Turn,
): Promise<Arrival | undefined> {
  const { transportId } = arriving;
  const receipts = messages.filter(isCounted).map((message) => toReceipt(message, arriving));
  let tried: readonly number[] = [];
  let refusals = 0;
  // What says from where the client repeats is refused there, and by all others.
  const looksFirst = receipts.length > LARGE_FRAME || (opens && toTurn === undefined);
  const write = (): Promise<TransportState | undefined> =>
    toTurn === undefined
      ? store.touch(transportId, deadline, receipts)
      : store.take(transportId, deadline, toTurn(messages), receipts);
  const atOnce = looksFirst ? undefined : await write();
  if (atOnce !== undefined) return { state: atOnce, repeated: [], isLate: false };
  const giveUpAt = clock.now() + RESUME_TIME;
  for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LAST_PAUSE)) {
    const seen = await store.transport(transportId);
    if (seen === undefined || seen.end !== undefined || seen.next !== undefined) return undefined;
    // A write whose answer was lost, and which the SDK repeated, is refused for having been made.
    const isCountedAlready = seen.tally.recent.some(({ frame }) => frame === receipts[0]?.frame);
    if (isCountedAlready) return { state: seen, repeated: tried, isLate: true };
    const waits = seen.resuming && !opens && (receipts.length > 0 || toTurn !== undefined);
    if (waits) {
      if (seen.lost) return undefined;
      if (clock.now() < giveUpAt) {
        await clock.sleep(pause);
        continue;
      }
      // A frame that is dropped must not be missing among others: its client says it again by the next transport.
      await transports.close(transportId);
      return undefined;
    }
    // A ping does not take it up, and who does moves the deadline.
    if (seen.resuming) return { state: seen, repeated: [], isLate: true };
    const counted = count(seen.tally, messages, arriving);
    const { received, expected, repeated } = counted;
    const recent = compact(seen, counted.recent, clock.now());
    const fresh = messages.filter((_, index) => !repeated.includes(index));
    const turn = toTurn?.(fresh);
    const change: TallyChange = {
      received,
      recent,
      expected,
      ...(!seen.lost && { deadline }),
      ...(turn !== undefined && { turn }),
    };
    const state = await store.tally(transportId, seen, change);
    if (state !== undefined) return { state, repeated, isLate: true };
    tried = repeated;
    refusals += 1;
    // Many repeated at once get in each other's way.
    if (refusals > AT_ONCE) await clock.sleep(spread(arriving.messageId, refusals));
  }
}

function count(
  tally: Tally,
  messages: readonly ClientMessage[],
  arriving: Arriving,
): Pick<Tally, "received" | "recent" | "expected"> & { readonly repeated: readonly number[] } {
  const expected = new Expected(tally.expected);
  const recent = [...tally.recent];
  const repeated: number[] = [];
  let { received } = tally;
  for (const [index, message] of messages.entries()) {
    if (!isCounted(message)) continue;
    const receipt = toReceipt(message, arriving);
    recent.push(receipt);
    if (expected.take(receipt.fingerprint)) repeated.push(index);
    else received += 1;
  }
  return { received, recent, expected: expected.list(), repeated };
}

/** Room for more receipts: those go first that no client will repeat. */
function compact({ stateful }: TransportState, recent: readonly Receipt[], now: number): readonly Receipt[] {
  if (!stateful) return [];
  if (recent.length < MOST_RECEIPTS) return recent;
  const unsettled = recent.filter(({ receivedAt }) => receivedAt > now - SETTLING).length;
  const repeatable = recent.filter(({ receivedAt }) => receivedAt > now - REPEATABLE);
  return repeatable.slice(-Math.min(MOST_KEPT, Math.max(unsettled, MOST_RECEIPTS / 2)));
}

/** What a client that repeats from number `sequenceId` on is about to repeat; undefined when it can not have sent that. */
export function expectFrom(tally: Tally, sequenceId: number): readonly string[] | undefined {
  if (!Number.isSafeInteger(sequenceId) || sequenceId < 1 || sequenceId > tally.received + 1) return undefined;
  const size = tally.received - sequenceId + 1;
  if (size === 0) return [];
  const recent = [...tally.recent].sort((one, other) => one.receivedAt - other.receivedAt);
  const known = [...recent.map(({ fingerprint }) => fingerprint), ...new Expected(tally.expected).known()].slice(-size);
  return new Expected(known, size - known.length).list();
}

interface AckPorts extends ArrivalPorts {
  readonly dialect: Dialect;
}

/** Tells the client what has arrived, if it does not know yet. */
export async function acknowledge(ports: AckPorts, state: TransportState): Promise<void> {
  const { store, transports, clock } = ports;
  const trim = trimOf(state, clock.now());
  if (trim === undefined) return;
  const record = ackOf(ports, state, trim);
  await Promise.all([
    store.trim(state.transportId, trim),
    record !== undefined && transports.post(state.transportId, record),
  ]);
}

/** The same once the frame is so old that none before it can be missing. */
export async function acknowledgeSettled(
  ports: AckPorts,
  { transportId, receivedAt }: Pick<Arriving, "transportId" | "receivedAt">,
): Promise<void> {
  await ports.clock.sleep(receivedAt + SETTLING - ports.clock.now());
  const state = await ports.store.transport(transportId);
  if (state?.next !== undefined) return acknowledgeSettled(ports, { transportId: state.next, receivedAt });
  if (state !== undefined && state.end === undefined) await acknowledge(ports, state);
}

/** The acknowledgement to write, when a trim has one. */
export function ackOf({ dialect }: AckPorts, { stateful, tally }: TransportState, trim: Trim): string | undefined {
  if (!stateful || trim.acknowledged === tally.acknowledged) return undefined;
  return dialect.encode({ kind: "ack", sequenceId: trim.acknowledged });
}

/** What there is to acknowledge or to forget. Undefined when there is nothing. */
export function trimOf({ stateful, resuming, phase, tally }: TransportState, now: number): Trim | undefined {
  const { recent } = tally;
  if (phase !== "open" || resuming || !stateful) return undefined;
  const acknowledged = Math.max(tally.acknowledged, acknowledgeable(tally, now));
  const isIdle = tally.acknowledged === tally.received && recent.every(({ receivedAt }) => receivedAt < now - IDLE);
  const drop = isIdle ? recent.length : 0;
  return acknowledged === tally.acknowledged && drop === 0 ? undefined : { seen: tally, acknowledged, drop };
}

/** While some are to be repeated still, nobody knows which ones the count would say. */
function acknowledgeable({ received, recent, expected, quietUntil }: Tally, now: number): number {
  if (expected.length > 0 || now < quietUntil) return 0;
  return received - recent.filter(({ receivedAt }) => receivedAt > now - SETTLING).length;
}

/** Different for different frames, and up to twice as long each time. Milliseconds. */
function spread(messageId: string, refusals: number): number {
  const share = (Number.parseInt(fingerprint(`${messageId} ${refusals}`), 36) % 1_000) / 1_000;
  return share * Math.min(LAST_PAUSE, FIRST_PAUSE * 2 ** (refusals - AT_ONCE));
}

function toReceipt(message: ClientMessage, { receivedAt, messageId }: Arriving): Receipt {
  return { fingerprint: fingerprint(toPortable(message)), receivedAt, frame: fingerprint(messageId) };
}

/** FNV-1a, 32 bits. */
/** Short, and equal for equal texts. */
export function fingerprint(text: string): string {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return (value >>> 0).toString(36);
}

/** Fingerprints, and how many more there are whose fingerprints are forgotten: `["*3", "1x2y", …]`. */
class Expected {
  readonly #known: string[];
  #unknown: number;

  constructor(list: readonly string[], unknown = 0) {
    const [first] = list;
    const isNumber = first?.startsWith("*") === true;
    this.#known = isNumber ? list.slice(1) : [...list];
    this.#unknown = unknown + (isNumber ? Number(first.slice(1)) : 0);
  }

  take(wanted: string): boolean {
    const index = this.#known.indexOf(wanted);
    if (index >= 0) this.#known.splice(index, 1);
    else if (this.#unknown > 0) this.#unknown -= 1;
    else return false;
    return true;
  }

  known(): readonly string[] {
    return this.#known;
  }

  list(): readonly string[] {
    return this.#unknown === 0 ? this.#known : [`*${this.#unknown}`, ...this.#known];
  }
}
