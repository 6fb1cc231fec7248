// What an author's code finds in `hub.services`: made once for each instance of a function.

import type { HubDefinition, RawConnectionDefinition } from "./define-hub.ts";
import type { Service } from "./define-service.ts";
import type { HubFilter } from "./filters.ts";

/** Made when it is needed first. What it makes lives as long as the function's instance, and is no place for state. */
export type ServicesFactory<Services extends object = object> = () => Services | Promise<Services>;

/** The options that depend on each other: `services` must make what hubs and filters want. */
export type ServicesFor<Hubs, Services extends object> = {
  readonly hubs: Hubs;
  readonly filters?: readonly HubFilter<NoInfer<Services>>[];
  readonly services?: ServicesFactory<Services>;
} & (Services extends WantedBy<Hubs> ? unknown : { readonly services: ServicesFactory<WantedBy<Hubs>> });

/** What all hubs together find in `hub.services`. */
type WantedBy<Hubs> = {
  [Path in keyof Hubs]: (wanted: ServicesOf<Hubs[Path]>) => void;
}[keyof Hubs] extends (wanted: infer Wanted extends object) => void
  ? Wanted
  : object;

type ServicesOf<Hub> =
  Hub extends RawConnectionDefinition<infer Services>
    ? Services
    : // biome-ignore lint/suspicious/noExplicitAny: hubs of every client interface
      Hub extends HubDefinition<any, any, infer Services>
      ? Services
      : object;

/** `services` of `defineService` failed. The next use tries again. */
class ServicesError extends Error {
  override readonly name = "ServicesError";
  readonly code = "services_failed";
}

export const NO_SERVICES: object = Object.freeze({});

const made = new WeakMap<Service, Promise<object>>();

/** @throws ServicesError when this attempt to make them failed; the next call is another attempt. */
export function servicesOf(service: Service, factory: ServicesFactory): Promise<object> {
  const known = made.get(service);
  if (known !== undefined) return known;
  const making = make(factory);
  made.set(service, making);
  // The caller learns why.
  making.catch(() => made.delete(service));
  return making;
}

async function make(factory: ServicesFactory): Promise<object> {
  let services: unknown;
  try {
    services = await factory();
  } catch (cause) {
    throw new ServicesError("`services` of defineService failed. The next use tries again.", { cause });
  }
  if (typeof services === "object" && services !== null) return services;
  throw new ServicesError("`services` of defineService must return an object.");
}

/** @throws TypeError for anything but a function. */
export function checkServices(services: unknown): ServicesFactory | undefined {
  if (services === undefined || typeof services === "function") return services as ServicesFactory | undefined;
  throw new TypeError("`services` must be a function that makes them: services: () => ({ db }).");
}
