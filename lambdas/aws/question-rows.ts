// What clients are asked for: a partition for each question, a row for each who was asked.

import type { Answer, QuestionStore } from "../hub/index.ts";
import { toSeconds } from "./connection-rows.ts";
import { keys, TIME_TO_LIVE } from "./table.ts";
import type { Row, TableClient } from "./table-client.ts";

export function questionRows(table: TableClient): QuestionStore {
  return {
    async putQuestion(id, connectionId, expiresAt) {
      await table.put(keys.question(id, connectionId), { [TIME_TO_LIVE]: toSeconds(expiresAt) });
    },
    async answer(id, connectionId, answer) {
      const [name, value] = "json" in answer ? (["json", answer.json] as const) : (["error", answer.error] as const);
      const kept = await table.update(
        keys.question(id, connectionId),
        `SET #${name} = :answer`,
        "attribute_exists(#pk) AND attribute_not_exists(#json) AND attribute_not_exists(#error)",
        { ":answer": value },
      );
      if (kept !== undefined) return "kept";
      const asked = await everybody(table, id);
      const own = asked.find((row) => row.sk === connectionId);
      // Answered before, as by a retry of the SDK.
      if (own?.[name] === value) return "kept";
      return asked.length === 0 || own !== undefined ? "unknown" : "foreign";
    },
    async questions(id) {
      return (await everybody(table, id)).map((row) => ({ connectionId: String(row.sk), answer: toAnswer(row) }));
    },
    async dropQuestion(id, connectionId) {
      await table.delete(keys.question(id, connectionId));
    },
  };
}

async function everybody(table: TableClient, id: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for await (const page of table.query(keys.question(id, "").pk, { consistent: true })) rows.push(...page.rows);
  return rows;
}

function toAnswer({ json, error }: Row): Answer | undefined {
  if (json !== undefined) return { json: String(json) };
  return error === undefined ? undefined : { error: String(error) };
}
