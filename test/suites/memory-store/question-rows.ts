// What clients are asked for.

import type { Answer, QuestionState, QuestionStore } from "../../../lambdas/hub/index.ts";
import { key, rowKeys } from "./keys.ts";
import { type MemoryRows, ofKind } from "./rows.ts";

interface QuestionRow extends QuestionState {
  readonly answer: Answer | undefined;
  readonly expiresAt: number;
}

export function questionRows(table: MemoryRows): QuestionStore {
  const { access, put, remove, rows, update } = table;
  const everybody = (verb: "answer" | "questions", id: string) =>
    access(verb, key("question", id), () =>
      ofKind<QuestionRow>(rows, key("question", id)).map(({ connectionId, answer }) => ({ connectionId, answer })),
    );

  return {
    putQuestion: (id, connectionId, expiresAt) =>
      put("putQuestion", rowKeys.question(id, connectionId), { connectionId, answer: undefined, expiresAt }),
    async answer(id, connectionId, answer) {
      const kept = await update<QuestionRow>(
        "answer",
        rowKeys.question(id, connectionId),
        (row) => row.answer === undefined,
        (row) => {
          row.answer = answer;
        },
      );
      if (kept !== undefined) return "kept";
      const asked = await everybody("answer", id);
      const own = asked.find((row) => row.connectionId === connectionId);
      if (own !== undefined && JSON.stringify(own.answer) === JSON.stringify(answer)) return "kept";
      return asked.length === 0 || own !== undefined ? "unknown" : "foreign";
    },
    questions: (id) => everybody("questions", id),
    async dropQuestion(id, connectionId) {
      await remove("dropQuestion", rowKeys.question(id, connectionId));
    },
  };
}
