import { type AttributeValue, type DynamoDBClient, paginateScan } from "@aws-sdk/client-dynamodb";
import type { LocalServer } from "signalr-lambda/local";
import { TIME_TO_LIVE } from "../../lambdas/aws/index.ts";
import { isHttpTransport } from "../../lambdas/hub/index.ts";
import { deleteExpired } from "../../lambdas/local/index.ts";

type Row = Readonly<Record<string, AttributeValue>>;

/** Looks into the table, and waits for it to become what a test expects: after each change it looks again. */
export class TableWatch {
  readonly #client: DynamoDBClient;
  readonly #name: string;
  #waiting: (() => void)[] = [];

  constructor({ client, name }: LocalServer["table"]) {
    this.#client = client;
    this.#name = name;
    this.watch(client);
  }

  /** Notices what this client deletes, too. */
  watch(client: DynamoDBClient): void {
    client.middlewareStack.add(
      (next, context) => async (args) => {
        const result = await next(args);
        const changes = ["DeleteItemCommand", "UpdateItemCommand"].includes(context.commandName ?? "");
        if (changes) for (const wake of this.#waiting.splice(0)) wake();
        return result;
      },
      { step: "initialize", name: "tableWatch" },
    );
  }

  /** Keys of all rows. */
  async keys(): Promise<readonly string[]> {
    return (await this.#rows()).map(({ pk, sk }) => `${pk?.S} ${sk?.S}`).sort();
  }

  /**
   * Resolves when every connection whose handshake has begun has ended: the transport row is deleted last. Says how
   * many rows are left to the sweeper: of sockets that never shook hands, were lost, or were taken over, of transports
   * over HTTP that are read to their end, and of users whose going is told later.
   */
  async ended(): Promise<number> {
    for (;;) {
      const deleted = new Promise<void>((wake) => this.#waiting.push(wake));
      const rows = await this.#rows();
      const transports = rows.filter(({ pk }) => pk?.S?.startsWith("T#"));
      const sessions = new Set(rows.map(({ pk }) => pk?.S));
      const leftToSweeper = transports.filter(
        ({ sk, phase, holder, next, lost }) =>
          next !== undefined ||
          lost !== undefined ||
          (phase?.S === "accepted" && holder === undefined) ||
          (phase?.S === "ended" && isHttpTransport(String(sk?.S)) && !sessions.has(`S#${sk?.S}`)),
      );
      if (leftToSweeper.length === transports.length) {
        return transports.length + rows.filter(({ pk }) => pk?.S?.startsWith("P#")).length;
      }
      await deleted;
    }
  }

  /** Deletes what time to live will have deleted at `now`. */
  async collectGarbage(now: number): Promise<void> {
    await deleteExpired({ client: this.#client, tableName: this.#name, attribute: TIME_TO_LIVE, now });
  }

  async #rows(): Promise<readonly Row[]> {
    const rows: Row[] = [];
    for await (const page of paginateScan({ client: this.#client }, { TableName: this.#name })) {
      rows.push(...(page.Items ?? []));
    }
    return rows;
  }
}
