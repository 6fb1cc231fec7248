import { describe, expect, it } from "vitest";
import { clientProxy } from "../../lambdas/hub/client-proxy.ts";

interface Client {
  receive(...args: unknown[]): void;
  toString(): void;
  valueOf(): void;
}

function proxied() {
  const sent: unknown[] = [];
  const ask = async (target: string, args: readonly unknown[]) => ["asked", target, args];
  const proxy = clientProxy<Client>(async (target, args) => void sent.push([target, args]), ask as never);
  return { sent, proxy };
}

describe("a client proxy", () => {
  it("sends what is called on it", async () => {
    const { sent, proxy } = proxied();
    await proxy.receive();
    await proxy.receive("text", 1, undefined, { deep: [] });
    expect(sent).toEqual([
      ["receive", []],
      ["receive", ["text", 1, undefined, { deep: [] }]],
    ]);
  });

  it("sends to any target by name, its own names too", async () => {
    const { sent, proxy } = proxied();
    await proxy.send("then", 1);
    await proxy.send("send");
    await proxy.send("__proto__", 2);
    expect(sent).toEqual([
      ["then", [1]],
      ["send", []],
      ["__proto__", [2]],
    ]);
  });

  it("takes names that every object has for client methods", async () => {
    const { sent, proxy } = proxied();
    await proxy.toString();
    await proxy.valueOf();
    expect(sent).toEqual([
      ["toString", []],
      ["valueOf", []],
    ]);
  });

  it("is no promise, so that it can be awaited and returned", async () => {
    const { sent, proxy } = proxied();
    expect(await proxy).toBe(proxy);
    expect(await (async () => proxy)()).toBe(proxy);
    expect(sent).toEqual([]);
  });

  it.each([Symbol.toPrimitive, Symbol.iterator, Symbol.asyncIterator, Symbol.toStringTag, Symbol("own")])(
    "has nothing under %s",
    (symbol) => {
      expect(Reflect.get(proxied().proxy, symbol)).toBeUndefined();
    },
  );
});
