// The wiring: from a service and the environment to the eight functions. Nothing else constructs anything.

import { type AsynchronousInvoker, asynchronousInvoker } from "./asynchronous-invoker.ts";
import { accessTokenBearer, connectionTokens, jwtAuthenticator } from "./auth/index.ts";
import { apiGatewayTransports } from "./aws/index.ts";
import { managementClient } from "./aws-clients.ts";
import { emfMetrics } from "./emf-metrics.ts";
import { ConfigurationError, type Environment, readVariable } from "./environment.ts";
import {
  connectHandler,
  disconnectHandler,
  messageHandler,
  negotiateHandler,
  type OriginPorts,
  pollHandler,
  streamHandler,
  sweepHandler,
  workHandler,
} from "./handlers.ts";
import {
  type AdmissionPorts,
  type Authenticate,
  type Clock,
  hubsBeyondFrames,
  isService,
  type Log,
  type NegotiatePorts,
  type Runners,
  type ServerPorts,
  type Service,
  type Workers,
  withHttpTransports,
} from "./hub/index.ts";
import { jsonLog } from "./json-log.ts";
import { core } from "./protocol/index.ts";
import { systemClock, systemRandom } from "./system.ts";
import { tableStore } from "./table-store.ts";
import { logUnhandledRejections } from "./unhandled-rejections.ts";

export type { HubContext, HubContextClients, HubContextGroups } from "./hub/index.ts";
export { createHubContext, type HubContextOptions } from "./hub-context.ts";
export { ConfigurationError };

/**
 * `$connect`. Reads `SIGNALR_TABLE`, `SIGNALR_CALLBACK_URL`, `SIGNALR_TOKEN_SECRET` and `SIGNALR_MESSAGE`, and
 * `SIGNALR_ORIGIN_SECRET` if it is there.
 */
export function connectFunction(service: Service, environment: Environment) {
  const runners = runnersFrom(environment);
  const ports = { ...admissionPorts(service, environment), ...tablePorts(environment), runners };
  return connectHandler({ ...ports, ...transportPorts(environment, ports, ports.log), ...originPorts(environment) });
}

/** `$default`. Reads `SIGNALR_TABLE`, `SIGNALR_CALLBACK_URL` and `SIGNALR_WORKER`, and `SIGNALR_METRICS` if it is there. */
export function messageFunction(service: Service, environment: Environment) {
  return messageHandler(serverPorts(service, environment));
}

/** `$disconnect`. Reads `SIGNALR_TABLE` and `SIGNALR_CALLBACK_URL`, and `SIGNALR_METRICS` if it is there. */
export function disconnectFunction(service: Service, environment: Environment) {
  return disconnectHandler(callerPorts(service, environment));
}

/**
 * `POST /{hub}/negotiate` and `/{hub}/refresh`. Reads `SIGNALR_TABLE` and `SIGNALR_TOKEN_SECRET`, and
 * `SIGNALR_ORIGIN_SECRET` if it is there.
 */
export function negotiateFunction(service: Service, environment: Environment) {
  return negotiateHandler({
    ...admissionPorts(service, environment),
    ...tablePorts(environment),
    ...originPorts(environment),
  });
}

/** Long polling and sending. Reads what `$connect` reads, and `SIGNALR_WORKER`. */
export function pollFunction(service: Service, environment: Environment) {
  return pollHandler({ ...httpTransportPorts(service, environment), workers: workersFrom(environment) });
}

/** Server-sent events. Reads what `$connect` reads. */
export function streamFunction(service: Service, environment: Environment) {
  return streamHandler(httpTransportPorts(service, environment));
}

/** Streams and long invocations, invoked asynchronously. Reads what `$disconnect` reads. */
export function workFunction(service: Service, environment: Environment) {
  return workHandler(callerPorts(service, environment));
}

/** The schedule. Reads `SIGNALR_TABLE`, `SIGNALR_CALLBACK_URL` and `SIGNALR_WORKER`, and `SIGNALR_METRICS` if it is there. */
export function sweepFunction(service: Service, environment: Environment) {
  return sweepHandler(serverPorts(service, environment));
}

/** Turns `auth` of a service into the port, behind the tokens of `signalr-lambda/negotiate`. */
export function authenticatorOf(service: Service, tokenSecret: string, clock: Clock, log: Log): Authenticate {
  const { auth } = service;
  const own = auth === undefined || typeof auth === "function" ? auth : jwtAuthenticator(auth.options, clock, log);
  return accessTokenBearer({ secret: tokenSecret, service, clock, log }, own);
}

/** @throws ConfigurationError for anything that `defineService` did not return. */
export function checkService(service: unknown): Service {
  if (isService(service)) return service;
  throw new ConfigurationError("The service file must have `export default defineService({ hubs: { … } })`.");
}

/** What clients read then, outsiders read. */
function warnOfDetails({ hubs }: Service, log: Log): void {
  const detailed = [...hubs.values()].filter(({ options }) => options.enableDetailedErrors === true);
  if (detailed.length === 0) return;
  log.warn('Clients read the messages of all errors: `enableDetailedErrors` is true. Make it "local".', {
    hubs: detailed.map(({ path }) => path),
  });
}

/** What is larger than a frame does not get here over a socket, whatever the option says. */
function warnOfSizes(service: Service, log: Log): void {
  const hubs = hubsBeyondFrames(service);
  if (hubs.length === 0) return;
  log.warn("Over WebSockets a message holds 32768 bytes at most: `maximumReceiveMessageSize` is above that.", { hubs });
}

type CommonPorts = AdmissionPorts & Pick<NegotiatePorts, "clock" | "random" | "tokens">;

function admissionPorts(given: Service, environment: Environment): CommonPorts {
  const service = checkService(given);
  const log = jsonLog();
  const secret = required(environment, "SIGNALR_TOKEN_SECRET");
  const authenticate = authenticatorOf(service, secret, systemClock, log);
  return { service, authenticate, tokens: connectionTokens(secret), log, clock: systemClock, random: systemRandom };
}

function serverPorts(given: Service, environment: Environment): ServerPorts {
  return { ...callerPorts(given, environment), workers: workersFrom(environment) };
}

function httpTransportPorts(given: Service, environment: Environment) {
  const ports = callerPorts(given, environment);
  const secret = required(environment, "SIGNALR_TOKEN_SECRET");
  return {
    ...ports,
    ...originPorts(environment),
    tokens: connectionTokens(secret),
    runners: runnersFrom(environment),
    authenticate: authenticatorOf(ports.service, secret, ports.clock, ports.log),
  };
}

/** The client is made with the first stream: most functions never see one. */
function workersFrom(environment: Environment): Workers {
  return onDemand(required(environment, "SIGNALR_WORKER"));
}

/** The function that runs hub methods. */
function runnersFrom(environment: Environment): Runners {
  return onDemand(required(environment, "SIGNALR_MESSAGE"));
}

function onDemand(functionName: string): AsynchronousInvoker {
  let invoker: AsynchronousInvoker | undefined;
  return {
    start(task) {
      invoker ??= asynchronousInvoker(functionName);
      return invoker.start(task);
    },
  };
}

function callerPorts(given: Service, environment: Environment): Omit<ServerPorts, "workers"> {
  const service = checkService(given);
  const log: Log = jsonLog();
  // These are the functions that run hub methods.
  logUnhandledRejections(log);
  warnOfDetails(service, log);
  warnOfSizes(service, log);
  return {
    service,
    log,
    clock: systemClock,
    random: systemRandom,
    ...metricsPorts(environment),
    ...transportPorts(environment, tablePorts(environment), log),
  };
}

/** Metrics cost, so without the variable there are none. */
function metricsPorts({ SIGNALR_METRICS: service }: Environment): Pick<ServerPorts, "metrics"> {
  return service === undefined || service === "" ? {} : { metrics: emfMetrics(service, systemClock) };
}

function tablePorts(environment: Environment) {
  return { store: tableStore(required(environment, "SIGNALR_TABLE")) };
}

function transportPorts(environment: Environment, { store }: ReturnType<typeof tablePorts>, log: Log) {
  const client = managementClient(required(environment, "SIGNALR_CALLBACK_URL"));
  const sockets = apiGatewayTransports({ client, clock: systemClock, log });
  const transports = withHttpTransports(sockets, { store, clock: systemClock, random: systemRandom, log });
  return { store, dialect: core, transports };
}

/** Without a distribution there is no secret, and everybody may come. */
function originPorts({ SIGNALR_ORIGIN_SECRET: secret }: Environment): OriginPorts {
  return secret === undefined || secret === "" ? {} : { originSecret: secret };
}

function required(environment: Environment, name: string): string {
  return readVariable(environment, name, "SignalRService of signalr-lambda/cdk sets it.");
}
