// That no verb brings a row into being, or back.

import { describe, expect, it } from "vitest";
import type { ConnectionState, UserState } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import {
  changeOf,
  EMPTY,
  FAILED,
  flushBy,
  frozenOf,
  groupOf,
  HANDSHAKE,
  HUB,
  LOST,
  NOTHING_READ,
  NOW,
  numberFor,
  receiptOf,
  sessionOf,
  takeoverOf,
  trimOf,
  turnOf,
  userOf,
} from "./samples.ts";

export function absentRowsSuite(harness: Harness): void {
  const { connect, end, id, membersOf, reopen, rows, store } = harness;

  describe("a row that is not there", () => {
    const turn = turnOf("holder");
    const verbs: readonly [string, (name: string) => Promise<unknown>, unknown][] = [
      ["touch", (name) => store.touch(name, NOW), undefined],
      ["take", (name) => store.take(name, NOW, turn), undefined],
      ["touch that counts", (name) => store.touch(name, NOW, [receiptOf(1)]), undefined],
      ["take that counts", (name) => store.take(name, NOW, turn, [receiptOf(1)]), undefined],
      ["tally", (name) => store.tally(name, frozenOf(name), changeOf(frozenOf(name), { deadline: NOW })), undefined],
      [
        "tally that takes the turn and expects",
        (name) => store.tally(name, frozenOf(name), changeOf(frozenOf(name), { turn, expected: ["a"] })),
        undefined,
      ],
      ["trim", (name) => store.trim(name, trimOf(frozenOf(name), 0, 1)), undefined],
      ["trim that forgets", (name) => store.trim(name, trimOf(frozenOf(name), 2)), undefined],
      ["release and trim", (name) => store.release(name, "holder", 0, false, trimOf(frozenOf(name), 1)), false],
      ["count", (name) => store.count(name), undefined],
      ["steal", (name) => store.steal(name, turn, undefined), false],
      ["steal from somebody", (name) => store.steal(name, turn, turnOf("dead", 0)), false],
      ["release", (name) => store.release(name, "holder", 0, false), false],
      ["release and open", (name) => store.release(name, "holder", 0, true), false],
      ["open", (name) => store.open(name, "holder"), false],
      ["note", (name) => store.note(name, "holder", [{ id: "1", target: "a" }]), false],
      ["abandon", (name) => store.abandon(name, "holder"), undefined],
      ["waiting", (name) => store.waiting(name), []],
      ["claimFrame", (name) => store.claimFrame(name, "1"), false],
      ["transport", (name) => store.transport(name), undefined],
      ["connection", (name) => store.connection(name), undefined],
      ["session", (name) => store.session(name), undefined],
      ["saveItems", (name) => store.saveItems(name, { a: "1", b: undefined }), false],
      ["saveItems that deletes", (name) => store.saveItems(name, { b: undefined }), false],
      ["renewSession", (name) => store.renewSession(name, sessionOf({})), false],
      ["renewAuthentication", (name) => store.renewAuthentication(name, NOW), undefined],
      ["renewAuthentication for ever", (name) => store.renewAuthentication(name, undefined), undefined],
      ["enter", (name) => store.enter({ connectionId: name, transportId: name }, HUB, name), false],
      ["join", (name) => store.join({ connectionId: name, transportId: name }, HUB, name), false],
      ["leave", (name) => store.leave(name, HUB, name), undefined],
      ["groups", (name) => store.groups(name), []],
      ["member", (name) => store.member(name, HUB), undefined],
      ["members of a group", (name) => membersOf(groupOf(name)), []],
      ["members of a user", (name) => membersOf(userOf(name)), []],
      ["members of a hub", (name) => membersOf({ kind: "hub", hub: name }), []],
      ["connectionIds", (name) => store.connectionIds(groupOf(name), undefined, 1), []],
      ["connectionIds behind one", (name) => store.connectionIds({ kind: "hub", hub: name }, name, 1), []],
      ["countMembers", (name) => store.countMembers({ kind: "hub", hub: name }), 0],
      ["countMembers but one", (name) => store.countMembers(groupOf(name), name), 0],
      ["departUser", (name) => store.departUser(userStateOf(name), NOW), undefined],
      ["user", (name) => store.user(HUB, name), undefined],
      ["keepUser", (name) => store.keepUser(userStateOf(name), NOW), undefined],
      [
        "claimUser",
        (name) => store.claimUser(userStateOf(name), { phase: "leaving", holder: name, until: NOW }),
        undefined,
      ],
      ["settleUser", (name) => store.settleUser({ ...userStateOf(name), phase: "leaving" }), false],
      ["settleUser who comes", (name) => store.settleUser({ ...userStateOf(name), phase: "coming" }), false],
      ["forget", (name) => store.forget(groupOf(name), { connectionId: name, transportId: name }), undefined],
      ["redirect", (name) => store.redirect(groupOf(name), { connectionId: name, transportId: name }, "t"), undefined],
      ["connectionOfKey", (name) => store.connectionOfKey(name), undefined],
      ["freeze", (name) => store.freeze(name, "next", NOW), undefined],
      ["thaw", (name) => store.thaw(name, "next"), undefined],
      ["takeOver", (name) => store.takeOver(takeoverOf(frozenOf(name), `${name} next`)), false],
      ["reopen by a handshake", (name) => reopen(name, HANDSHAKE), undefined],
      ["reopen by a Sequence", (name) => reopen(name, { expected: [] }), undefined],
      ["reopen by a Sequence that repeats", (name) => reopen(name, { expected: ["a"] }), undefined],
      ["lose", (name) => store.lose(name, NOW), undefined],
      ["dropUnused", (name) => store.dropUnused(name), undefined],
      ["dropReplaced", (name) => store.dropReplaced(name), undefined],
      ["yieldTurn", (name) => store.yieldTurn(name, "holder"), undefined],
      ["nextNumber", (name) => store.nextNumber(name, numberFor("flusher")), undefined],
      [
        "nextNumber for an answer",
        (name) => store.nextNumber(name, numberFor("flusher", { handshakes: 1 })),
        undefined,
      ],
      ["nextNumber without room", (name) => store.nextNumber(name, numberFor("flusher", { limit: 0 })), undefined],
      ["acknowledge", (name) => store.acknowledge(name, name, 1, 10), undefined],
      ["acknowledge of nothing", (name) => store.acknowledge(name, name, 0, 10), undefined],
      ["queued", (name) => store.queued(name, 0), []],
      ["dropMessage", (name) => store.dropMessage(name, 1), undefined],
      ["startFlush", (name) => store.startFlush(name, name, flushBy("flusher", undefined, NOW)), undefined],
      ["finishFlush", (name) => store.finishFlush(name, "flusher", 0, undefined), false],
      ["finishFlush that makes room", (name) => store.finishFlush(name, "flusher", 0, 10), false],
      ["greet", (name) => store.greet(name, name, "{}", undefined), false],
      ["greet in a protocol", (name) => store.greet(name, name, "{}", "messagepack"), false],
      ["beginReading", (name) => store.beginReading(endedOf(name), "reader", 10), undefined],
      ["hand", (name) => store.hand(name, "reader", { number: 1, bytes: 1 }), false],
      ["closeReading", (name) => store.closeReading(name, name), undefined],
      ["speak", (name) => store.speak(name, "messagepack"), undefined],
      ["leaveFlush", (name) => store.leaveFlush(name, "flusher", 0, "next"), false],
      ["markEnd", (name) => store.markEnd(name, LOST, 0), undefined],
      ["markLost", (name) => store.markLost(name), undefined],
      ["bury", (name) => store.bury(name, NOW), undefined],
      ["dropSession", (name) => store.dropSession(name), undefined],
      ["dropTransport", (name) => store.dropTransport(name, "ender"), undefined],
      ...(["open", "accepted", "ended"] as const).map((phase): (typeof verbs)[number] => [
        `claimEnd from ${phase}`,
        (transportId) => {
          const from =
            phase === "open"
              ? { phase }
              : phase === "accepted"
                ? { phase, turn: undefined }
                : { phase, ender: undefined, deadline: NOW };
          return store.claimEnd({ transportId, from, ender: "ender", until: NOW, reason: FAILED });
        },
        undefined,
      ]),
      ["startWork", (name) => store.startWork(name, { key: name, nonce: name, now: NOW }), "ended"],
      ["claimWork", (name) => store.claimWork(name, name, { worker: name, until: NOW, now: NOW }), undefined],
      ["work", (name) => store.work(name, name), undefined],
      ["renewWork", (name) => store.renewWork(name, name, name, NOW), undefined],
      ["cancelWork", (name) => store.cancelWork(name, name), undefined],
      ["finishWork", (name) => store.finishWork(name, name), undefined],
      ["openUpload", (name) => store.openUpload(name, name, name, NOW), "ended"],
      ["putItem", (name) => store.putItem(name, name, { nonce: "n", receivedAt: NOW, json: "1" }, 10), "over"],
      ["endUpload", (name) => store.endUpload(name, name, { receivedAt: NOW, error: undefined }), undefined],
      ["endUpload with an error", (name) => store.endUpload(name, name, { receivedAt: NOW, error: name }), undefined],
      ["upload", (name) => store.upload(name, name), undefined],
      ["uploadItems", (name) => store.uploadItems(name, name), []],
      ["dropItems", (name) => store.dropItems(name, name, [`${name}#n`]), undefined],
      ["closeUpload", (name) => store.closeUpload(name, name), undefined],
      ["answer", (name) => store.answer(name, name, { json: "1" }), "unknown"],
      ["an answer that is an error", (name) => store.answer(name, name, { error: name }), "unknown"],
      ["questions", (name) => store.questions(name), []],
      ["dropQuestion", (name) => store.dropQuestion(name, name), undefined],
      ["clear", (name) => store.clear(endedOf(name)), undefined],
    ];

    it.each(verbs)("is not brought into being by %s", async (_title, verb, answer) => {
      const before = await rows();
      expect(await verb(id("absent"))).toEqual(answer);
      expect(await rows()).toEqual(before);
    });

    it.each(verbs)("is not brought back by %s", async (_title, verb) => {
      const connection = await connect({ transportId: id("ended"), connectionId: id("ended") });
      await end(connection);
      const before = await rows();
      await verb(id("ended"));
      expect(await rows()).toEqual(before);
    });
  });
}

/** A user who was online once. */
function userStateOf(name: string): UserState {
  return { hub: HUB, user: name, phase: "online", arrival: name, holder: name, until: 0, checkAt: NOW };
}

/** An ended connection, all of whose names are one. */
function endedOf(name: string): ConnectionState {
  return {
    connectionId: name,
    hub: HUB,
    transportId: name,
    userIdentifier: name,
    ended: true,
    resumeKey: name,
    stateful: true,
    issuedAt: NOW,
    handshakes: 1,
    outbox: EMPTY,
    protocol: undefined,
    reading: NOTHING_READ,
  };
}
