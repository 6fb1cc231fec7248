// What an author's code finds in `hub.services`: made once for each instance of a function.

import type { Service } from "./define-service.ts";

/** Made when it is needed first. What it makes lives as long as the function's instance, and is no place for state. */
export type ServicesFactory<Services extends object = object> = () => Services | Promise<Services>;

/** `services` of `defineService` failed. The next use tries again. */
class ServicesError extends Error {
  override readonly name = "ServicesError";
  readonly code = "services_failed";
}

export const NO_SERVICES: object = Object.freeze({});

const made = new WeakMap<Service, Promise<object>>();

/** @throws ServicesError when this attempt to make them failed; the next call is another attempt. */
export function servicesOf(service: Service): Promise<object> {
  const { services } = service;
  const known = made.get(service);
  if (known !== undefined) return known;
  const making = services === undefined ? Promise.resolve(NO_SERVICES) : make(services);
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
