// The eight functions of a local server, with a service that can be swapped: in this process, or each in threads of its
// own.

import { ApiGatewayManagementApiClient } from "@aws-sdk/client-apigatewaymanagementapi";
import { LambdaClient } from "@aws-sdk/client-lambda";
import type { FunctionContext } from "./apigateway/index.ts";
import { asynchronousInvoker } from "./asynchronous-invoker.ts";
import { connectionTokens } from "./auth/index.ts";
import { apiGatewayTransports, dynamoDBStore } from "./aws/index.ts";
import { authenticatorOf, checkService } from "./functions.ts";
import {
  connectHandler,
  disconnectHandler,
  messageHandler,
  negotiateHandler,
  pollHandler,
  streamHandler,
  sweepHandler,
  workHandler,
} from "./handlers.ts";
import { asLocal, type Clock, type Log, type Service, type Store, withHttpTransports } from "./hub/index.ts";
import type { IsolatedFunctionData } from "./isolated-function.ts";
import {
  type Functions,
  isolatedFunctions,
  RUNNER,
  type SdkRequestHandler,
  type ServiceBundle,
  STAGE_PATH,
  WORKER,
} from "./local/index.ts";
import { type LocalDatabase, UNUSED } from "./local-database.ts";
import { core } from "./protocol/index.ts";
import { systemRandom } from "./system.ts";

/** What functions of a local server reach the world by. */
export interface LocalMeans {
  readonly database: Pick<LocalDatabase, "client" | "tableName" | "requestHandler">;
  /** Of clients of `@connections`. */
  readonly connections: SdkRequestHandler;
  /** Of clients of Lambda. */
  readonly lambda: SdkRequestHandler;
  readonly tokenSecret: string;
  /** What the local CloudFront proves itself with. */
  readonly originSecret: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A service, and the file it came from if there is one. */
export interface ServiceSource {
  readonly service: Service;
  /** What threads load the service from. */
  readonly bundle?: ServiceBundle;
}

export interface LocalFunctions {
  /** Always the same object, so that a gateway finds its members replaced. */
  readonly functions: Functions;
  /** @throws ConfigurationError for anything that `defineService` did not return. */
  replace(source: ServiceSource): void;
  /** Resolves when sweeps, polls and streams have come to their end: a gateway waits for none of those. */
  settled(): Promise<void>;
  /** Ends what runs still. */
  end(): Promise<void>;
}

/** The handlers of a service. */
export function handlersOf(service: Service, means: Omit<LocalMeans, "database">, store: Store) {
  const { clock, log, tokenSecret, originSecret } = means;
  const sockets = apiGatewayTransports({ client: managementClient(means.connections), clock, log });
  const lambda = new LambdaClient({ ...UNUSED, requestHandler: means.lambda });
  const all = {
    service: asLocal(service),
    authenticate: authenticatorOf(service, tokenSecret, clock, log),
    store,
    transports: withHttpTransports(sockets, { store, clock, random: systemRandom, log }),
    tokens: connectionTokens(tokenSecret),
    originSecret,
    dialect: core,
    workers: asynchronousInvoker(WORKER, lambda),
    runners: asynchronousInvoker(RUNNER, lambda),
    random: systemRandom,
    clock,
    log,
  };
  return {
    connect: connectHandler(all),
    message: messageHandler(all),
    disconnect: disconnectHandler(all),
    negotiate: negotiateHandler(all),
    poll: pollHandler(all),
    stream: streamHandler(all),
    work: workHandler(all),
    sweep: sweepHandler(all),
  };
}

/** Posts to the gateway, which needs no address for that. */
function managementClient(requestHandler: SdkRequestHandler): ApiGatewayManagementApiClient {
  const endpoint = `http://localhost${STAGE_PATH}`;
  return new ApiGatewayManagementApiClient({ ...UNUSED, endpoint, requestHandler, maxAttempts: 1 });
}

/** Where functions run: made by a server, once it knows what they reach the world by. */
export type FunctionRoom = (source: ServiceSource, means: LocalMeans) => LocalFunctions;

/** Functions that share this process with the gateway, and what `build` makes of a service with each other. */
export function sharedFunctions(
  build: (service: Service, means: LocalMeans) => Functions = (service, means) =>
    handlersOf(service, means, dynamoDBStore(means.database.client, means.database.tableName)),
): FunctionRoom {
  return ({ service }, means) => {
    const waiting = new WaitingFunctions(means.log);
    const functionsOf = (next: Service): Functions => waiting.trackedBy(build(checkService(next), means));
    const functions = functionsOf(service);
    return {
      functions,
      replace(next) {
        Object.assign(functions, functionsOf(next.service));
        waiting.startSweep(functions);
      },
      settled: () => waiting.settled(),
      end: async () => undefined,
    };
  };
}

/** Functions that share nothing: each event has a thread for itself, as on Lambda. */
export const threadedFunctions: FunctionRoom = (
  source,
  { database, connections, lambda, tokenSecret, originSecret, log },
) => {
  const dataOf = ({ bundle }: ServiceSource): IsolatedFunctionData => {
    if (bundle === undefined) throw new TypeError("Threads load a service from its file, and there is none.");
    const isEmbedded = database.requestHandler !== undefined;
    return { bundle, tableName: database.tableName, isEmbedded, tokenSecret, originSecret };
  };
  // Beside this file, and called as it is: built or not.
  const entry = new URL(import.meta.url.replace(/local-functions(\.[jt]s)$/, "isolated-function$1"));
  const services = { dynamodb: database.requestHandler ?? ELSEWHERE, connections, lambda };
  const isolated = isolatedFunctions({ entry, data: dataOf(source), services, log });
  const waiting = new WaitingFunctions(log);
  const functions = waiting.trackedBy(isolated.functions);
  return {
    functions,
    replace(next) {
      isolated.replace(dataOf(next));
      waiting.startSweep(functions);
    },
    settled() {
      isolated.stop();
      return waiting.settled();
    },
    end: () => isolated.end(),
  };
};

/** Threads do not ask the gateway's for an engine that it does not have. */
const ELSEWHERE = { handle: () => Promise.reject(new Error("There is no database in this process.")) };

/** Milliseconds, as on Lambda. */
const SWEEP_LIMIT = 180_000;

/** The functions that run and mostly wait. */
class WaitingFunctions {
  readonly #running = new Set<Promise<unknown>>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  trackedBy(functions: Functions): Functions {
    return {
      ...functions,
      sweep: (event, context) => this.#track(functions.sweep(event, context)),
      poll: (event, context) => this.#track(functions.poll(event, context)),
      stream: (event, context, response) => this.#track(functions.stream(event, context, response)),
    };
  }

  #track<Result>(running: Promise<Result>): Promise<Result> {
    const run = running.finally(() => this.#running.delete(run));
    this.#running.add(run);
    return run;
  }

  /** After a deploy: the sweeper that runs knows the old service only, and goes home when a new one has begun. */
  startSweep(functions: Functions): void {
    const endsAt = performance.now() + SWEEP_LIMIT;
    const context: FunctionContext = {
      awsRequestId: "deploy",
      getRemainingTimeInMillis: () => Math.max(0, endsAt - performance.now()),
    };
    functions
      .sweep({ source: "aws.scheduler" }, context)
      .catch((error) => this.#log.error("The sweeper failed.", { error }));
  }

  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }
}
