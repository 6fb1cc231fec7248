// The table's answers, recorded: a function that is given them again does all of its own work, and the table none.

import type { SimulatedCloud } from "../units/simulated-cloud.ts";

type RequestHandler = SimulatedCloud["requestHandler"];
type Answer = Awaited<ReturnType<RequestHandler["handle"]>>;

/** The same request always gets the answer that it got the last time. */
export function recordAnswers(table: RequestHandler): { record: RequestHandler; replay: RequestHandler } {
  const answers = new Map<string, Answer>();
  return {
    record: {
      ...table,
      async handle(request) {
        const answer = await table.handle(request);
        answers.set(textOf(request.body), answer);
        return answer;
      },
    },
    replay: {
      ...table,
      async handle(request) {
        const answer = answers.get(textOf(request.body));
        if (answer === undefined) throw new Error("This was not asked when the answers were recorded.");
        return answer;
      },
    },
  };
}

function textOf(body: string | Uint8Array): string {
  return Buffer.from(body).toString();
}
