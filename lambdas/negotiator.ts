// `createNegotiator`: a user's own API answers negotiate, says who its client is, and sends it on to the service.
//
// It runs wherever that API does, so it takes single files of other rooms and not their index.ts, behind which lie
// Node's modules.

import { accessTokens } from "./auth/access-tokens.ts";
import { ConfigurationError, type Environment, readVariable } from "./environment.ts";
import { checkHubPath } from "./hub/hub-path.ts";

export interface NegotiatorOptions {
  /** Where the service is, in front of its hubs' paths: `https://…`. @default the environment variable SIGNALR_URL */
  readonly url?: string | undefined;
  /** The service's token secret. @default the environment variable SIGNALR_TOKEN_SECRET */
  readonly secret?: string | undefined;
  /** Time, for tests. @default the machine's */
  readonly clock?: { now(): number };
}

export interface NegotiateOptions {
  /** The hub's path, as in `defineService({ hubs })`. Of your own choice: a token opens the hub that it names. */
  readonly hub: string;
  /** Who the client is: `hub.userIdentifier`. @default nobody in particular, but signed in */
  readonly userIdentifier?: string;
  /** What else is known of the user: `hub.user.claims`, and name and roles by `claimTypes` of the service. JSON. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** How long a connection may be made with the answer. Milliseconds, 1000 to 86400000. @default 3600000, an hour */
  readonly expiresIn?: number;
  /**
   * URL of the request that is answered, as `request.url` has it, with or without a host: its query goes on to the hub.
   * Resume keys are there. @default no query
   */
  readonly requestUrl?: string;
}

/** The body of the answer, as JSON with status 200. */
export interface NegotiateAnswer {
  /** Where the client negotiates next. */
  readonly url: string;
  /** What it does that with. */
  readonly accessToken: string;
}

export interface Negotiator {
  /** @throws TypeError for a wrong option, saying which and what it should be. */
  negotiate(options: NegotiateOptions): Promise<NegotiateAnswer>;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Browsers send it in the URL of a socket, of which API Gateway takes 4096 characters with everything that is in it. */
const MAXIMUM_TOKEN_LENGTH = 3000;

/** Claims that say when and for what the token is good, and who says so instead. */
const TAKEN: ReadonlyMap<string, string> = new Map([
  ["sub", "`userIdentifier` is for that"],
  ["aud", "`hub` is for that"],
  ["exp", "`expiresIn` is for that"],
  ["iat", "it is the time of the answer"],
  ["nbf", "it is the time of the answer"],
]);

/** Query parameters that the client adds itself, for each request its own. */
const OF_THE_PROTOCOL: ReadonlySet<string> = new Set([
  "negotiateversion",
  "usestatefulreconnect",
  "id",
  "access_token",
]);

const ADVICE = "`signalr-lambda dev` prints it; in the cloud set it, or give the option to createNegotiator.";

/**
 * Answers `POST /{hub}/negotiate` in an API of your own, in front of the service: the client is told where the service
 * is, and gets an access token that says who it is, as your API knows. The service takes that token for what `auth`
 * would return. Make one per process.
 *
 * @throws ConfigurationError when something is missing or wrong, saying what; TypeError for a secret that is too short.
 * @example
 * const negotiator = createNegotiator({ url: "https://d123.cloudfront.net", secret: process.env.SIGNALR_TOKEN_SECRET });
 *
 * app.post("/chat/negotiate", async (req, res) => {
 *   res.json(await negotiator.negotiate({ hub: "chat", userIdentifier: req.user.id, requestUrl: req.url }));
 * });
 */
export function createNegotiator(options: NegotiatorOptions = {}): Negotiator {
  const { clock = { now: () => Date.now() } } = options;
  const base = baseUrl(options.url ?? readVariable(environment(), "SIGNALR_URL", ADVICE));
  const tokens = accessTokens(options.secret ?? readVariable(environment(), "SIGNALR_TOKEN_SECRET", ADVICE));
  return {
    async negotiate({ hub, userIdentifier, claims = {}, expiresIn = HOUR, requestUrl = "" }) {
      checkHubPath(hub);
      checkClaims(claims);
      checkUser(userIdentifier);
      if (!Number.isFinite(expiresIn) || expiresIn < 1000 || expiresIn > DAY) {
        throw new TypeError(`\`expiresIn\` is ${expiresIn}; it is a number of milliseconds, from 1000 to ${DAY}.`);
      }
      const issuedAt = clock.now();
      const user = userIdentifier === undefined ? {} : { sub: userIdentifier };
      const accessToken = await tokens.issue(
        { ...claims, ...user },
        { hub, issuedAt, expiresAt: issuedAt + expiresIn },
      );
      if (accessToken.length > MAXIMUM_TOKEN_LENGTH) {
        throw new TypeError(
          `The access token has ${accessToken.length} characters, and ${MAXIMUM_TOKEN_LENGTH} are the most that fit into the URL of a socket. Leave claims out.`,
        );
      }
      return { url: `${base}/${hub}${queryOf(requestUrl)}`, accessToken };
    },
  };
}

/** There is none in some runtimes. */
function environment(): Environment {
  return typeof process === "undefined" ? {} : process.env;
}

function baseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isGood = url !== undefined && /^https?:$/.test(url.protocol) && url.search === "" && url.hash === "";
  if (isGood) return text.replace(/\/+$/, "");
  throw new ConfigurationError(
    `The service's URL is '${text}'. It is what stands in front of the hubs' paths, such as https://d123.cloudfront.net.`,
  );
}

function checkUser(userIdentifier: unknown): void {
  if (userIdentifier === undefined || (typeof userIdentifier === "string" && userIdentifier !== "")) return;
  throw new TypeError("`userIdentifier` must be a text that is not empty. Leave it out for a user without one.");
}

function checkClaims(claims: unknown): void {
  if (typeof claims !== "object" || claims === null || Array.isArray(claims)) {
    throw new TypeError("`claims` must be an object: claims by their names.");
  }
  for (const name of Object.keys(claims)) {
    const instead = TAKEN.get(name);
    if (instead !== undefined) throw new TypeError(`\`claims\` cannot have '${name}': ${instead}.`);
  }
}

function queryOf(requestUrl: string): string {
  const text = requestUrl.split("#")[0] ?? "";
  const mark = text.indexOf("?");
  const kept = [...new URLSearchParams(mark < 0 ? "" : text.slice(mark))].filter(
    ([name]) => !OF_THE_PROTOCOL.has(name.toLowerCase()),
  );
  // Every parser of queries knows %20.
  const query = new URLSearchParams(kept).toString().replaceAll("+", "%20");
  return query === "" ? "" : `?${query}`;
}
