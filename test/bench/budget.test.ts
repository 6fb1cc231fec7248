// The budget of request units and bytes. They are the same in every run; times are not, and are nobody's test.

import { expect, it } from "vitest";
import { isOver } from "../../bench/units/budget.ts";
import { measureOperations } from "../../bench/units/operations.ts";
import { measureRowSizes } from "../../bench/units/row-sizes.ts";

/** Both play hundreds of requests. Milliseconds. */
const TIMEOUT = 60_000;

it(
  "is kept by every operation but these",
  async () => {
    const operations = await measureOperations([25]);
    const over = operations.flatMap(({ name, measured, budget }) =>
      (["writeUnits", "readUnits", "callsInSequence"] as const)
        .filter((part) => isOver(measured[part], budget[part]))
        .map((part) => `${name}: ${measured[part]} ${part}, not ${budget[part]}`),
    );
    expect(over).toEqual([
      "a frame that waits its turn (1): 6 writeUnits, not 4",
      "a frame that waits its turn (1): 3 readUnits, not 2",
      "client stops (2), anonymous, in 0 groups: 3 readUnits, not 2",
      "client stops (2), anonymous, in 3 groups: 3 readUnits, not 2",
      "client stops (2), with a user, in 0 groups: 7 writeUnits, not 6",
      "client stops (2), with a user, in 0 groups: 3 readUnits, not 2",
      "client stops (2), with a user, in 3 groups: 13 writeUnits, not 12",
      "client stops (2), with a user, in 3 groups: 3 readUnits, not 2",
      "connect to connected, with a resume key: 4 readUnits, not 2",
      "connect to connected, stateful, with a resume key: 4 readUnits, not 2",
      "20 by one sender, at once (4): 2 readUnits, not 0",
      "20 by 20 senders, at once (4): 2 readUnits, not 0",
      "invocation with a result of a stateful client: 5 callsInSequence, not 3",
      "19 more, one after the other: 96 writeUnits, not 95",
      "19 more, one after the other: 20 readUnits, not 19",
      "frame of 200 short messages: 3 readUnits, not 1",
      "frame of 200 short messages of a stateful client: 15 writeUnits, not 2",
      "frame of 200 short messages of a stateful client: 5 readUnits, not 1",
      "Ack of a stateful client: 1 readUnits, not 0",
      "resume by Sequence, right after negotiate: 14 writeUnits, not 6",
      "resume by Sequence, right after negotiate: 5 readUnits, not 2",
      "resume by Sequence, 0 messages to repeat: 9 writeUnits, not 6",
      "resume by Sequence, 0 messages to repeat: 4 readUnits, not 2",
      "resume by Sequence, 10 messages to repeat: 9 writeUnits, not 6",
      "resume by Sequence, 10 messages to repeat: 5 readUnits, not 2",
      "resume by key, 0 messages waiting (6): 10 writeUnits, not 6",
      "resume by key, 0 messages waiting (6): 6 readUnits, not 3",
      "resume by key, 10 messages waiting (6): 20 writeUnits, not 6",
      "resume by key, 10 messages waiting (6): 7 readUnits, not 3",
      "frame that the client repeats: 3 readUnits, not 1",
      "client stops (2), stateful, 0 messages not acknowledged: 4 readUnits, not 2",
      "client stops (2), stateful, 10 messages not acknowledged: 4 readUnits, not 2",
      "send to all, 25 members (1): 4 readUnits, not 1",
    ]);
  },
  TIMEOUT,
);

it(
  "is kept by every row but these",
  async () => {
    const rows = await measureRowSizes();
    const over = rows.filter(({ bytes, budget }) => isOver(bytes, budget));
    expect(over.map(({ name }) => name)).toEqual([
      "transport, stateful, one invocation a second",
      "transport, stateful, ten invocations a second",
    ]);
  },
  TIMEOUT,
);
