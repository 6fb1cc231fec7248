import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JsonValue } from "../../lambdas/hub/index.ts";
import { itemChanges, openItems } from "../../lambdas/hub/items.ts";

describe("hub.items", () => {
  it("opens what was stored", () => {
    expect(openItems({ name: '"Ada"', seen: '{"at":1}' })).toEqual(
      new Map<string, JsonValue>([
        ["name", "Ada"],
        ["seen", { at: 1 }],
      ]),
    );
  });

  it("writes changed keys only, and deletes those that are gone", () => {
    const stored = { same: "1", changed: "1", gone: "1" };
    const items = openItems(stored);
    items.set("changed", 2);
    items.set("added", { a: [null] });
    items.delete("gone");
    expect(itemChanges(stored, items)).toEqual({
      changed: { changed: "2", added: '{"a":[null]}', gone: undefined },
      items: { same: "1", changed: "2", added: '{"a":[null]}' },
    });
  });

  it("has nothing to write when nothing changed", () => {
    const stored = { name: '"Ada"' };
    const items = openItems(stored);
    items.set("name", "Ada");
    expect(itemChanges(stored, items)).toBeUndefined();
  });

  it("notices a change inside a stored object", () => {
    const stored = { seen: '{"count":1}' };
    const items = openItems(stored);
    (items.get("seen") as { count: number }).count += 1;
    expect(itemChanges(stored, items)?.changed).toEqual({ seen: '{"count":2}' });
  });

  it.each(["__proto__", "constructor", "toString", "hasOwnProperty"])("keeps an item named %s", (key) => {
    const items = openItems(Object.create(null));
    items.set(key, "mine");
    const changes = itemChanges(Object.create(null), items);
    expect(Object.entries(changes?.changed ?? {})).toEqual([[key, '"mine"']]);
    const again = openItems(changes?.items ?? {});
    expect(again.get(key)).toBe("mine");
    again.delete(key);
    expect(Object.entries(itemChanges(changes?.items ?? {}, again)?.changed ?? {})).toEqual([[key, undefined]]);
  });

  it.each([
    ["a function", () => 1, TypeError],
    ["undefined", undefined, TypeError],
    ["a symbol", Symbol("s"), TypeError],
    ["a bigint", 1n, TypeError],
    ["more than 4 KB", "x".repeat(4096), RangeError],
    ["more than 4 KB of UTF-8", "ü".repeat(2048), RangeError],
  ])("refuses %s", (_title, value, error) => {
    expect(() => itemChanges({}, new Map([["key", value as JsonValue]]))).toThrow(error);
  });

  it.each([[""], [1], [undefined], [{}]])("refuses the key %j", (key) => {
    expect(() => itemChanges({}, new Map([[key as string, 1]]))).toThrow(
      new TypeError("The keys of hub.items are strings that are not empty."),
    );
  });

  it("holds 4 KB, keys and all", () => {
    const value = "x".repeat(4096 - '{"key":"\\"\\""}'.length);
    expect(itemChanges({}, new Map([["key", value]]))).toBeDefined();
    expect(() => itemChanges({}, new Map([["key", `${value}x`]]))).toThrow(
      "hub.items holds at most 4096 bytes of JSON, not 4097. Keep more in a table of your own.",
    );
  });

  it("can shrink again when it holds too much", () => {
    const stored = { old: JSON.stringify("x".repeat(5000)) };
    expect(itemChanges(stored, new Map([["new", 1]]))?.changed).toEqual({ old: undefined, new: "1" });
  });

  it("gives back whatever was kept", () => {
    const values = fc.dictionary(fc.string({ minLength: 1, maxLength: 10 }), fc.jsonValue({ maxDepth: 2 }), {
      maxKeys: 5,
    });
    fc.assert(
      fc.property(values, values, (first, second) => {
        const stored = itemChanges({}, toMap(first))?.items ?? {};
        const changes = itemChanges(stored, toMap(second));
        const written = new Map(Object.entries(stored));
        for (const [key, json] of Object.entries(changes?.changed ?? {})) {
          if (json === undefined) written.delete(key);
          else written.set(key, json);
        }
        expect(new Map([...written].sort())).toEqual(
          new Map(
            Object.entries(second)
              .map(([key, value]) => [key, JSON.stringify(value)] as const)
              .sort(),
          ),
        );
      }),
    );
  });
});

function toMap(values: object): Map<string, JsonValue> {
  return new Map(Object.entries(values));
}
