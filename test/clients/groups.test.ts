// Membership: who joins, who leaves, and what is left of it when a connection ends.

import { defineHub } from "signalr-lambda";
import { describe, expect, it } from "vitest";
import { Arrivals } from "../local/local-gateway.ts";
import { calls, serve } from "./running-service.ts";

interface Client {
  receive(text: string): void;
}

function open() {
  const ended = new Arrivals<readonly string[]>();
  const chat = defineHub<Client>()({
    methods: {
      add: (hub, group: string) => hub.groups.add(group),
      remove: (hub, group: string) => hub.groups.remove(group),
      list: (hub) => hub.groups.list(),
      addOther: (hub, connectionId: string, group: string) => hub.groups.addToGroup(connectionId, group),
      removeOther: (hub, connectionId: string, group: string) => hub.groups.removeFromGroup(connectionId, group),
      tell: (hub, group: string, text: string) => hub.clients.group(group).receive(text),
    },
    async onDisconnected(hub) {
      const groups = await hub.groups.list();
      for (const group of groups) await hub.clients.group(group).receive(`${hub.connectionId} left ${group}`);
      await hub.clients.caller.receive("to nobody");
      await hub.clients.client(hub.connectionId).receive("to nobody");
      await hub.clients.all.receive("last words");
      await hub.groups.add("too late");
      ended.push(groups);
    },
  });
  return { ended, hubs: { chat } };
}

describe("the caller", () => {
  it("joins, lists and leaves groups, each as often as it likes", async () => {
    const connection = await (await serve(open())).connect();
    for (const group of ["b", "a", "ä", "b", "A", "__proto__"]) await connection.invoke("add", group);
    expect(await connection.invoke("list")).toEqual(["A", "__proto__", "a", "b", "ä"]);
    await connection.invoke("remove", "b");
    await connection.invoke("remove", "b");
    await connection.invoke("remove", "never joined");
    expect(await connection.invoke("list")).toEqual(["A", "__proto__", "a", "ä"]);
  });

  it("hears a group once, and no more after leaving", async () => {
    const connection = await (await serve(open())).connect();
    const received = calls(connection, "receive");
    await connection.invoke("add", "red");
    await connection.invoke("add", "red");
    await connection.invoke("tell", "red", "one");
    await connection.invoke("remove", "red");
    await connection.invoke("tell", "red", "two");
    expect(received.all).toEqual([["one"]]);
  });

  it.each(["add", "remove", "addOther", "removeOther"])("cannot %s without a name", async (method) => {
    const connection = await (await serve({ ...open(), enableDetailedErrors: true })).connect();
    const args = method.endsWith("Other") ? [connection.connectionId, ""] : [""];
    await expect(connection.invoke(method, ...args)).rejects.toThrow("TypeError: A group needs a name.");
  });
});

describe("another connection", () => {
  it("is put into groups and taken out of them", async () => {
    const service = await serve(open());
    const [ada, bob] = [await service.connect(), await service.connect()];
    const received = calls(bob, "receive");
    await ada.invoke("addOther", bob.connectionId, "red");
    expect(await bob.invoke("list")).toEqual(["red"]);
    await ada.invoke("tell", "red", "one");
    await ada.invoke("removeOther", bob.connectionId, "red");
    await ada.invoke("tell", "red", "two");
    expect(await bob.invoke("list")).toEqual([]);
    expect(received.all).toEqual([["one"]]);
  });

  it.each(["addOther", "removeOther"])("may be unknown, of another hub, or ended: %s does nothing", async (method) => {
    const { hubs } = open();
    const service = await serve({ hubs: { ...hubs, other: hubs.chat } });
    const connection = await service.connect();
    const stranger = await service.connect("/other");
    await stranger.invoke("add", "red");
    await connection.invoke(method, "nobody", "red");
    await connection.invoke(method, stranger.connectionId, "red");
    expect(await stranger.invoke("list")).toEqual(["red"]);
    expect((await service.table.keys()).filter((key) => key.startsWith("G#"))).toEqual([
      `G#other#red ${stranger.connectionId}`,
    ]);
  });
});

describe("onDisconnected", () => {
  it("has its groups still, and its sends skip the one that left", async () => {
    const { ended, hubs } = open();
    const service = await serve({ hubs });
    const [ada, bob] = [await service.connect(), await service.connect()];
    const [adas, bobs] = [calls(ada, "receive"), calls(bob, "receive")];
    const { connectionId } = ada;
    for (const connection of [ada, bob]) await connection.invoke("add", "red");
    await ada.stop();
    expect(await ended.next()).toEqual(["red"]);
    expect([await bobs.next(), await bobs.next()]).toEqual([[`${connectionId} left red`], ["last words"]]);
    expect(adas.all).toEqual([]);
    await bob.invoke("tell", "too late", "nobody hears");
    expect(bobs.all).toHaveLength(2);
  });
});
