// The hub's transports on API Gateway: `@connections` through the SDK.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html

import {
  type ApiGatewayManagementApiClient,
  DeleteConnectionCommand,
  GetConnectionCommand,
  PostToConnectionCommand,
} from "@aws-sdk/client-apigatewaymanagementapi";
import type { Clock, Log, PostOutcome, Transports } from "../hub/index.ts";

/** 429 is either the account's limit or one slow client's full buffer: both pass, or that client is given up. */
const ATTEMPTS = 5;
/** The longest first pause, doubled for each further one; the pause itself is drawn between zero and that. */
const FIRST_PAUSE = 50;

export interface TransportsPorts {
  /** Made with `maxAttempts: 1`: the retries here back off per transport, the SDK's share one budget. */
  readonly client: ApiGatewayManagementApiClient;
  readonly clock: Clock;
  readonly log: Log;
}

export function apiGatewayTransports({ client, clock, log }: TransportsPorts): Transports {
  async function attempt(
    what: string,
    send: () => Promise<unknown>,
    mayRepeat: (error: unknown) => boolean,
  ): Promise<PostOutcome> {
    for (let tries = 1; ; tries++) {
      try {
        await send();
        return "accepted";
      } catch (error) {
        if (isNamed(error, "GoneException")) return "gone";
        if (tries === ATTEMPTS || !mayRepeat(error)) {
          log.error(`${what} failed.`, { error, tries });
          return "failed";
        }
      }
      await clock.sleep(Math.random() * FIRST_PAUSE * 2 ** (tries - 1));
    }
  }

  return {
    post: (id, text) =>
      attempt(
        "PostToConnection",
        () => client.send(new PostToConnectionCommand({ ConnectionId: id, Data: text })),
        (error) => isTransient(error) && !isUnanswered(error),
      ),
    async close(id) {
      // Closing twice does no harm, so whatever passes is worth another attempt.
      await attempt(
        "DeleteConnection",
        () => client.send(new DeleteConnectionCommand({ ConnectionId: id })),
        isTransient,
      );
    },
    async look(id) {
      const command = new GetConnectionCommand({ ConnectionId: id });
      const outcome = await attempt("GetConnection", () => client.send(command), isTransient);
      return outcome === "gone" ? "gone" : outcome === "accepted" ? "open" : "unknown";
    },
  };
}

function isNamed(error: unknown, name: string): boolean {
  return error instanceof Error && error.name === name;
}

/** Throttled, failing on their side, or no answer at all. What is left is our mistake and stays one. */
function isTransient(error: unknown): boolean {
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  return status === undefined || status === 429 || status >= 500;
}

/**
 * The request went out and its answer did not come in time: the client may have the message, and would get it twice.
 *
 * | what happened                                         | name         | code                       |
 * |-------------------------------------------------------|--------------|----------------------------|
 * | no answer in time                                     | TimeoutError | ETIMEDOUT                  |
 * | no connection in time                                 | TimeoutError | none, or that of `connect` |
 * | a kept-alive socket that died while Lambda was frozen | TimeoutError | ECONNRESET, EPIPE          |
 * | no connection                                         | Error        | ECONNREFUSED, ENOTFOUND, … |
 */
function isUnanswered(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code === "ETIMEDOUT" && syscall !== "connect";
}
