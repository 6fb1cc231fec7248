// `createHubContext`: sending to a hub's clients from another function, a server or a job.

import { apiGatewayTransports } from "./aws/index.ts";
import { managementClient } from "./aws-clients.ts";
import { ConfigurationError, readVariable } from "./environment.ts";
import {
  type ClientOf,
  defineService,
  type HubContext,
  type HubDefinition,
  type LifetimeOptions,
  type Log,
  openHubContext,
  type RawConnectionContext,
  type ServiceOptions,
  withHttpTransports,
} from "./hub/index.ts";
import { jsonLog } from "./json-log.ts";
import { core } from "./protocol/index.ts";
import { systemClock, systemRandom } from "./system.ts";
import { tableStore } from "./table-store.ts";

export interface HubContextOptions extends Pick<ServiceOptions, "statefulReconnectBufferSize"> {
  /** The hub's path exactly as it is written in `defineService({ hubs })`, upper and lower case included. */
  readonly hub: string;
  /** Of a raw connection: what it sends is text. @default the hub's clients speak hub protocols */
  readonly protocol?: "raw";
  /** The service's table. @default the environment variable SIGNALR_TABLE */
  readonly tableName?: string;
  /** The `@connections` endpoint of the service's sockets, `https://…`. @default the environment variable SIGNALR_CALLBACK_URL */
  readonly callbackUrl?: string;
  /** As in the service, if it has another than the default: a sender that finds a client away says until when it may come back. */
  readonly lifetime?: Pick<LifetimeOptions, "disconnectTimeout">;
  /** @default JSON lines on standard output, from level info on */
  readonly log?: Log;
}

const ADVICE =
  "`addSender` of SignalRService (signalr-lambda/cdk) sets it for a function, and `signalr-lambda dev` prints it.";

/**
 * Sends to the clients of a hub from outside of it: SignalR's `IHubContext`. It needs the rights that `grantSend` of the
 * CDK construct gives, on the table and on `@connections`; region and credentials come from where the SDK always finds
 * them. Make one per process, outside of the handler. Await what it returns: a Lambda function is frozen as soon as it
 * has answered.
 *
 * @throws ConfigurationError when something is missing or wrong, saying what.
 * @example
 * import type { chat } from "./realtime.ts";
 *
 * const context = createHubContext<typeof chat>({ hub: "chat" });
 * await context.clients.user("ada").receiveMessage("orders", "Yours has been sent.");
 *
 * const texts = createHubContext({ hub: "feed", protocol: "raw" }); // a raw connection, of defineConnection
 * await texts.clients.group("Berlin").send("21 °C");
 */
export function createHubContext(options: HubContextOptions & { readonly protocol: "raw" }): RawConnectionContext;
// biome-ignore lint/suspicious/noExplicitAny: hubs of every client interface
export function createHubContext<Hub extends HubDefinition<any, Readonly<Record<string, unknown>>, any>>(
  options: HubContextOptions & { readonly protocol?: never },
): HubContext<ClientOf<Hub>>;
export function createHubContext(options: HubContextOptions): unknown {
  const { hub, log = jsonLog() } = options;
  const service = serviceOf(options);
  const tableName = options.tableName ?? readVariable(process.env, "SIGNALR_TABLE", ADVICE);
  const callbackUrl = options.callbackUrl ?? readVariable(process.env, "SIGNALR_CALLBACK_URL", ADVICE);
  if (!URL.canParse(callbackUrl) || !/^https?:/i.test(callbackUrl)) {
    throw new ConfigurationError(
      `The callback URL is '${callbackUrl}'. It is that of @connections: https://, the API's host, and its stage.`,
    );
  }
  const client = managementClient(callbackUrl);
  const sockets = apiGatewayTransports({ client, clock: systemClock, log });
  const store = tableStore(tableName);
  const common = { service, log, clock: systemClock, random: systemRandom, dialect: core, store };
  return openHubContext({ ...common, transports: withHttpTransports(sockets, common) }, hub);
}

/** What delivery needs of the service, checked as the service's own options are. */
function serviceOf({ hub, protocol, lifetime, statefulReconnectBufferSize }: HubContextOptions) {
  if (typeof hub !== "string") {
    throw new ConfigurationError("createHubContext needs `hub`: the hub's path, as in `defineService({ hubs })`.");
  }
  try {
    return defineService({
      hubs: { [hub]: { methods: {}, ...(protocol !== undefined && { protocol }) } },
      ...(lifetime !== undefined && { lifetime }),
      ...(statefulReconnectBufferSize !== undefined && { statefulReconnectBufferSize }),
    });
  } catch (cause) {
    throw new ConfigurationError(`createHubContext: ${(cause as Error).message}`, { cause });
  }
}
