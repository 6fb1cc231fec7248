// The store that the contract is run on, and connections in it, brought to where a test begins.

import { beforeAll, beforeEach, expect } from "vitest";
import type {
  Audience,
  Member,
  NewConnection,
  Replay,
  Store,
  Takeover,
  TransportState,
} from "../../../lambdas/hub/index.ts";
import { claimOf, HUB, NO_REPLAY, NOW, numberFor, receiptOf, sessionOf, TIMES, takeoverOf, turnOf } from "./samples.ts";

export interface OpenStore {
  readonly store: Store;
  /** The keys of all rows, however the store calls them. */
  rows(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export type Harness = ReturnType<typeof openHarness>;

type ConnectionChanges = Partial<NewConnection> & { readonly userIdentifier?: string };

/** Opens a store for the tests that are described around the call, and closes it after them. */
export function openHarness(openStore: () => Promise<OpenStore>) {
  let opened: OpenStore;
  let tests = 0;

  beforeAll(async () => {
    const own = await openStore();
    opened = own;
    return () => own.close();
  });
  // One table for all tests, so every test has names of its own.
  beforeEach(() => {
    tests += 1;
  });

  const id = (text: string) => `${text}.${tests}`;
  const rows = () => opened.rows();
  // Tests are described before there is a store, so this stands for the one that will be open when they run.
  const store = new Proxy({} as Store, { get: (_, verb) => Reflect.get(opened.store, verb) });

  function newConnection(changes: ConnectionChanges = {}): NewConnection {
    const { userIdentifier, ...others } = changes;
    return {
      transportId: id("transport"),
      connectionId: id("connection"),
      hub: HUB,
      deadline: NOW + 15_000,
      rotateAt: NOW + 6_600_000,
      session: sessionOf({ userIdentifier }),
      resumeKey: undefined,
      stateful: false,
      issuedAt: 0,
      ...others,
    };
  }

  async function accept(changes: ConnectionChanges = {}): Promise<NewConnection> {
    const connection = newConnection(changes);
    expect(await store.accept(connection)).toBe("accepted");
    return connection;
  }

  /** Accepted, entered and open, with nobody in turn. */
  async function connect(changes: ConnectionChanges = {}): Promise<NewConnection> {
    const connection = await accept(changes);
    const { transportId, hub, session } = connection;
    await store.take(transportId, NOW + 30_000, turnOf("opener"));
    expect(await store.enter(connection, hub, session.userIdentifier)).toBe(true);
    expect(await store.release(transportId, "opener", 0, true)).toBe(true);
    return connection;
  }

  /** The whole ending, as one who is never interrupted does it. */
  async function end(connection: NewConnection, ender = "ender"): Promise<void> {
    expect(await store.claimEnd(claimOf(connection, { ender }))).toBeDefined();
    const buried = await store.bury(connection.connectionId, NOW + 60_000);
    await store.dropSession(connection.transportId);
    if (buried !== undefined) await store.clear(buried);
    await store.dropTransport(connection.transportId, ender);
  }

  async function membersOf(audience: Audience): Promise<readonly Member[]> {
    const members: Member[] = [];
    for await (const page of store.members(audience)) members.push(...page);
    return members.sort((one, other) => (one.connectionId < other.connectionId ? -1 : 1));
  }

  async function dueAt(now: number): Promise<readonly TransportState[]> {
    const due: TransportState[] = [];
    for await (const { transports } of store.due(now)) due.push(...transports);
    return due.filter(({ transportId }) => transportId.endsWith(`.${tests}`));
  }

  /** Open, with a resume key of its own. */
  const connectResumable = (changes: ConnectionChanges = {}) => connect({ resumeKey: id("key"), ...changes });

  /** Open, with a client that counts. */
  const connectStateful = (changes: ConnectionChanges = {}) => connect({ stateful: true, issuedAt: NOW, ...changes });

  /** With that many messages counted, the first of them the oldest. */
  async function counted(transportId: string, messages: number): Promise<TransportState> {
    const receipts = Array.from({ length: messages }, (_, index) => receiptOf(index));
    const state = await store.touch(transportId, NOW + 30_000, receipts);
    if (state === undefined) throw new Error("They are not counted.");
    return state;
  }

  async function numberAndPut(connectionId: string, flusher: string, bytes: number, limit = 1_000): Promise<number> {
    const head = await store.nextNumber(connectionId, numberFor(flusher, { bytes, limit }));
    if (typeof head !== "object") throw new Error(`There is no number: ${head}.`);
    const { last, bytes: all } = head.outbox;
    expect(await store.putMessage(connectionId, { number: last, record: `message ${last}` }, all, NOW)).toBe(true);
    return last;
  }

  /** By somebody who takes the turn if nobody has it. */
  const reopen = (
    transportId: string,
    by: { readonly base: number } | { readonly expected: readonly string[]; readonly replay?: Replay },
  ) => store.reopen(transportId, "base" in by ? by : { replay: NO_REPLAY, ...by }, turnOf("reopener"), TIMES);

  async function freeze({ transportId }: NewConnection, next = id("next")): Promise<TransportState> {
    const frozen = await store.freeze(transportId, next, NOW + 35_000);
    if (frozen === undefined) throw new Error("It can not be frozen.");
    return frozen;
  }

  async function takeOver(
    connection: NewConnection,
    next = id("next"),
    changes: Partial<Takeover> = {},
  ): Promise<TransportState> {
    const { stateful, issuedAt } = connection;
    const takeover = { ...takeoverOf(await freeze(connection, next), next), stateful, issuedAt, ...changes };
    expect(await store.takeOver(takeover)).toBe(true);
    const taken = await store.transport(next);
    if (taken === undefined) throw new Error("Nothing has taken over.");
    return taken;
  }

  return {
    accept,
    connect,
    connectResumable,
    connectStateful,
    counted,
    dueAt,
    end,
    freeze,
    id,
    membersOf,
    newConnection,
    numberAndPut,
    reopen,
    rows,
    store,
    takeOver,
  };
}
