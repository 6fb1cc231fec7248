// Who may use a hub or call a method: whoever is signed in, has a role, satisfies a policy.

import { checkKeys } from "./check-keys.ts";
import type { User } from "./connection-state.ts";
import type { Log } from "./ports.ts";

/**
 * Who may use a hub or call a method: anyone signed in, those with one of the roles, those whom a policy of
 * `defineService` lets through. With roles and a policy, both must hold. Nobody who is not signed in.
 */
export type Authorize =
  | true
  | { readonly roles: readonly string[]; readonly policy?: string }
  | { readonly roles?: readonly string[]; readonly policy: string };

/** What a policy judges. */
export interface PolicyContext {
  /** Always signed in: nobody else gets as far as a policy. */
  readonly user: User;
  readonly userIdentifier: string | undefined;
  /** The hub's path. */
  readonly hub: string;
  /** As defined; undefined when the hub asks, at negotiate and at connect. */
  readonly method: string | undefined;
  /** As the method gets them: checked, and parsed by their schemas. */
  readonly args: readonly unknown[];
  /** Undefined when the hub asks. */
  readonly connectionId: string | undefined;
}

/** Lets a user through by returning `true`, and only by that. One that throws refuses, and is logged as an error. */
export type Policy = (context: PolicyContext) => boolean | Promise<boolean>;

export interface AuthorizationPorts {
  readonly policies: ReadonlyMap<string, Policy>;
  readonly log: Log;
}

/** Never throws: what cannot be judged is refused. */
export async function isAuthorized(
  ports: AuthorizationPorts,
  authorize: Authorize | undefined,
  context: PolicyContext,
): Promise<boolean> {
  if (authorize === undefined) return true;
  const { user } = context;
  if (!user.isAuthenticated) return false;
  if (authorize === true) return true;
  const { roles, policy } = authorize;
  if (roles !== undefined && !roles.some((role) => user.roles.includes(role))) return false;
  return policy === undefined || satisfies(ports, policy, context);
}

async function satisfies({ policies, log }: AuthorizationPorts, name: string, context: PolicyContext) {
  try {
    return (await policies.get(name)?.(context)) === true;
  } catch (error) {
    const { hub, method, connectionId } = context;
    log.error("A policy failed, and so refuses.", { policy: name, error, hub, method, connectionId });
    return false;
  }
}

/** @throws TypeError for anything that is no {@link Authorize}. */
export function checkAuthorize(what: string, authorize: unknown): void {
  if (authorize === undefined || authorize === true) return;
  if (typeof authorize === "object" && authorize !== null) {
    checkKeys(`\`authorize\` of ${what}`, authorize, ["roles", "policy"]);
    const { roles, policy } = authorize as { roles?: unknown; policy?: unknown };
    const areRoles = Array.isArray(roles) && roles.every((role) => typeof role === "string");
    const hasEither = roles !== undefined || policy !== undefined;
    const isRight = (roles === undefined || areRoles) && (policy === undefined || typeof policy === "string");
    if (hasEither && isRight) return;
  }
  throw new TypeError(
    `\`authorize\` of ${what} must be true, { roles: ["Admin", …] }, { policy: "premium" }, or roles and policy.`,
  );
}

/** What asks for a policy, in words, and what it asks for. */
export interface Demand {
  readonly what: string;
  readonly authorize: Authorize | undefined;
}

/** @throws TypeError for a policy that is no function, or one that is asked for and is not there. */
export function checkPolicies(
  given: Readonly<Record<string, Policy>> | undefined,
  demands: readonly Demand[],
): ReadonlyMap<string, Policy> {
  const policies = new Map(Object.entries(given ?? {}));
  for (const [name, policy] of policies) {
    if (typeof policy !== "function") {
      throw new TypeError(`Policy '${name}' must be a function that returns whether a user may.`);
    }
  }
  for (const { what, authorize } of demands) {
    const name = authorize === undefined || authorize === true ? undefined : authorize.policy;
    if (name === undefined || policies.has(name)) continue;
    throw new TypeError(`${what} asks for the policy '${name}'. Define it in \`policies\` of defineService.`);
  }
  return policies;
}
