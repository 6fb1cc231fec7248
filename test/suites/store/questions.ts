// What clients are asked for: one answer from each who was asked, and none from anybody else.

import { describe, expect, it } from "vitest";
import type { Answer, QuestionState } from "../../../lambdas/hub/index.ts";
import type { Harness } from "./harness.ts";
import { HOSTILE_NAMES } from "./hostile-names.ts";
import { NOW } from "./samples.ts";

const EXPIRES = NOW + 3_600_000;

export function questionsSuite(harness: Harness): void {
  const { connect, end, id, rows, store } = harness;
  const ask = (question: string, connectionId: string) => store.putQuestion(question, connectionId, EXPIRES);
  const answersOf = async (question: string): Promise<readonly QuestionState[]> =>
    [...(await store.questions(question))].sort((one, other) => (one.connectionId < other.connectionId ? -1 : 1));

  describe("a question", () => {
    it("is open until its answer comes", async () => {
      const question = id("question");
      for (let times = 0; times < 2; times++) await ask(question, "ada");
      await ask(question, "bob");
      expect(await store.answer(question, "bob", { json: "1" })).toBe("kept");
      expect(await answersOf(question)).toStrictEqual([
        { connectionId: "ada", answer: undefined },
        { connectionId: "bob", answer: { json: "1" } },
      ]);
    });

    it.each<Answer>([{ json: "null" }, { json: "" }, { error: "" }, { error: "The client's own words." }])(
      "keeps %j as it is, once, also when it is made twice as by a retry of the SDK",
      async (answer) => {
        const question = id("question");
        await ask(question, "ada");
        for (let times = 0; times < 2; times++) expect(await store.answer(question, "ada", answer)).toBe("kept");
        for (const late of [{ json: "7" }, { error: "later" }])
          expect(await store.answer(question, "ada", late)).toBe("unknown");
        expect(await store.questions(question)).toStrictEqual([{ connectionId: "ada", answer }]);
      },
    );

    it("keeps the first of 50 answers, results and errors", async () => {
      const question = id("question");
      await ask(question, "ada");
      const given = Array.from(
        { length: 50 },
        (_, index): Answer => (index % 2 === 0 ? { json: `${index}` } : { error: `${index}` }),
      );
      const outcomes = await Promise.all(given.map((answer) => store.answer(question, "ada", answer)));
      expect(outcomes.filter((outcome) => outcome === "kept")).toHaveLength(1);
      expect(new Set(outcomes)).toEqual(new Set(["kept", "unknown"]));
      const winner = given[outcomes.indexOf("kept")];
      expect(await store.questions(question)).toStrictEqual([{ connectionId: "ada", answer: winner }]);
    });

    it("takes no answer from one who was not asked", async () => {
      const question = id("question");
      await ask(question, "ada");
      const before = await rows();
      for (const stranger of ["eve", "ad", "ada2"])
        expect(await store.answer(question, stranger, { json: "1" })).toBe("foreign");
      expect(await store.answer(id("unknown"), "ada", { json: "1" })).toBe("unknown");
      expect(await answersOf(question)).toStrictEqual([{ connectionId: "ada", answer: undefined }]);
      expect(await rows()).toEqual(before);
    });

    it("is gone for each who is not waited for any more", async () => {
      const before = await rows();
      const question = id("question");
      for (const connectionId of ["ada", "bob"]) await ask(question, connectionId);
      for (let times = 0; times < 2; times++) await store.dropQuestion(question, "ada");
      expect(await store.answer(question, "ada", { json: "1" })).toBe("foreign");
      await store.dropQuestion(question, "bob");
      expect(await store.answer(question, "bob", { json: "1" })).toBe("unknown");
      expect(await store.questions(question)).toEqual([]);
      expect(await rows()).toEqual(before);
    });

    it("has any name, and asks whoever is called anything", async () => {
      const before = await rows();
      const names = HOSTILE_NAMES.map((name) => `${id("")}${name}`);
      for (const [index, name] of names.entries()) {
        for (const connectionId of HOSTILE_NAMES.slice(0, 5)) await ask(name, connectionId);
        const connectionId = HOSTILE_NAMES[index % 5] as string;
        expect(await store.answer(name, connectionId, { json: `${index}` })).toBe("kept");
      }
      for (const [index, name] of names.entries()) {
        const asked = await store.questions(name);
        expect(asked).toHaveLength(5);
        expect(asked.filter(({ answer }) => answer !== undefined)).toStrictEqual([
          { connectionId: HOSTILE_NAMES[index % 5], answer: { json: `${index}` } },
        ]);
        for (const { connectionId } of asked) await store.dropQuestion(name, connectionId);
      }
      expect(await rows()).toEqual(before);
    });

    it("outlives a connection that was asked, for whoever asked to clear away", async () => {
      const question = id("question");
      const connection = await connect();
      await ask(question, connection.connectionId);
      await end(connection);
      expect(await store.questions(question)).toHaveLength(1);
      await store.dropQuestion(question, connection.connectionId);
      expect(await store.questions(question)).toEqual([]);
    });
  });
}
