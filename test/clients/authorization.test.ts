// Who may use a hub and call its methods: by being signed in, by role, by policy.

import type { HubConnection } from "@microsoft/signalr";
import { type Authorize, type AuthRequest, defineHub, type Policy, type PolicyContext } from "signalr-lambda";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { Refused } from "../local/local-gateway.ts";
import { calls, type RunningService, serve, start } from "./running-service.ts";

/** A token is its claims: these tests are not about signatures. */
const auth = ({ token }: AuthRequest) =>
  token === undefined ? null : (JSON.parse(Buffer.from(token, "base64url").toString()) as object as never);
const as = (claims: object | undefined) => ({
  accessTokenFactory: () => (claims === undefined ? "" : Buffer.from(JSON.stringify(claims)).toString("base64url")),
});

const ADA = { sub: "ada" };
const ADMIN = { sub: "grace", role: ["Admin"] };
const PREMIUM = { sub: "alan", tier: "premium" };
const BOTH = { sub: "barbara", role: "Admin", tier: "premium" };

const failure = new Error("The directory is down.");
const judged: PolicyContext[] = [];
const policies: Record<string, Policy> = {
  premium: ({ user }) => user.claims.tier === "premium",
  later: async ({ user }) => {
    await new Promise((resolve) => setImmediate(resolve));
    return user.claims.tier === "premium";
  },
  throws() {
    throw failure;
  },
  rejects: () => Promise.reject(failure),
  truthy: (() => "yes") as unknown as Policy,
  nothing: (() => undefined) as unknown as Policy,
  owner: ({ userIdentifier, args }) => args[0] === userIdentifier,
  constructor: ({ userIdentifier }: PolicyContext) => userIdentifier === "alan",
  ["__proto__"]: () => true,
  records(context) {
    judged.push(context);
    return true;
  },
};

const runs: unknown[] = [];
const method = (authorize: Authorize) => ({
  args: [],
  authorize,
  handler(hub: { userIdentifier: string | undefined }) {
    runs.push(hub.userIdentifier);
    return hub.userIdentifier;
  },
});

const text = z.string().trim();
const chat = defineHub<{ told(text: string): void }>()({
  methods: {
    anyone: (_hub, value: unknown) => value,
    member: method(true),
    admin: method({ roles: ["Admin", "Owner"] }),
    nobody: method({ roles: [] }),
    premium: method({ policy: "premium" }),
    later: method({ policy: "later" }),
    both: method({ roles: ["Admin"], policy: "premium" }),
    throws: method({ policy: "throws" }),
    rejects: method({ policy: "rejects" }),
    truthy: method({ policy: "truthy" }),
    nothing: method({ policy: "nothing" }),
    constructor: method({ policy: "constructor" }),
    proto: method({ policy: "__proto__" }),
    own: { args: [text], authorize: { policy: "owner" }, handler: (_hub, name) => name },
    judged: { args: [text, z.coerce.number()], authorize: { policy: "records" }, handler: () => undefined },
    tellAll: { args: [z.string()], authorize: true, handler: (hub, word) => hub.clients.all.told(word) },
  },
});

const unauthorized = (name: string) => new Error(`Failed to invoke '${name}' because user is unauthorized`);

describe("a method", () => {
  let service: RunningService;
  const errors = () => service.lines.all.filter(({ level }) => level === "error");
  beforeAll(async () => {
    service = await start({ hubs: { chat }, auth, policies });
    return () => service.close();
  });

  describe.each<[string, object | undefined, readonly string[]]>([
    ["nobody", undefined, []],
    ["a user", ADA, ["member", "proto"]],
    ["an Admin", ADMIN, ["member", "admin", "proto"]],
    ["a premium user", PREMIUM, ["member", "premium", "later", "constructor", "proto"]],
    ["a premium Admin", BOTH, ["member", "admin", "premium", "later", "both", "proto"]],
  ])("called by %s", (_title, claims, allowed) => {
    const names = ["member", "admin", "nobody", "premium", "later", "both", "constructor", "proto"];
    let connection: HubConnection;
    beforeAll(async () => {
      connection = await service.connect("/chat", as(claims));
    });

    it.each(names.filter((name) => allowed.includes(name)))("runs: %s", async (name) => {
      expect(await connection.invoke(name)).toBe((claims as { sub: string }).sub);
    });

    it.each(names.filter((name) => !allowed.includes(name)))(
      "is refused in the reference's words, and does not run: %s",
      async (name) => {
        runs.length = 0;
        await expect(connection.invoke(name)).rejects.toThrow(unauthorized(name));
        await connection.send(name);
        await expect(streamed(connection, name)).rejects.toThrow(unauthorized(name));
        expect(await connection.invoke("anyone", "still here")).toBe("still here");
        expect(runs).toEqual([]);
      },
    );
  });

  it.each(["throws", "rejects"])("whose policy %s is refused, and the log says why", async (name) => {
    const connection = await service.connect("/chat", as(PREMIUM));
    const before = errors().length;
    await expect(connection.invoke(name)).rejects.toThrow(unauthorized(name));
    expect(errors().slice(before)).toMatchObject([{ policy: name, hub: "chat", method: name, error: failure }]);
  });

  it.each(["truthy", "nothing"])("whose policy returns anything but true is refused: %s", async (name) => {
    const connection = await service.connect("/chat", as(PREMIUM));
    await expect(connection.invoke(name)).rejects.toThrow(unauthorized(name));
  });

  it("may depend on its arguments", async () => {
    const connection = await service.connect("/chat", as(ADA));
    expect(await connection.invoke("own", "ada")).toBe("ada");
    await expect(connection.invoke("own", "grace")).rejects.toThrow(unauthorized("own"));
  });

  it("shows its policy who calls what, from where, and with which arguments", async () => {
    judged.length = 0;
    const connection = await service.connect("/chat", as(ADA));
    await connection.invoke("JUDGED", " text ", "7");
    expect(judged).toEqual([
      {
        user: expect.objectContaining({ isAuthenticated: true, claims: ADA }),
        userIdentifier: "ada",
        hub: "chat",
        method: "judged",
        args: ["text", 7],
        connectionId: connection.connectionId,
      },
    ]);
  });

  it("is authorised when its arguments are bound, as in the reference", async () => {
    const connection = await service.connect("/chat", as(undefined));
    const unbound = "Failed to invoke 'own' due to an error on the server.";
    await expect(connection.invoke("own")).rejects.toThrow(new Error(unbound));
    await expect(connection.invoke("own", 7)).rejects.toThrow(`${unbound} HubException: Validation failed: argument 1`);
    await expect(connection.invoke("own", "ada")).rejects.toThrow(unauthorized("own"));
  });

  it("that is refused to one harms nobody else", async () => {
    const [refused, other] = [await service.connect(), await service.connect("/chat", as(ADA))];
    const told = calls(other, "told");
    await expect(refused.invoke("tellAll", "no")).rejects.toThrow(unauthorized("tellAll"));
    await other.invoke("tellAll", "yes");
    expect(await told.next()).toEqual(["yes"]);
    expect(told.all).toEqual([["yes"]]);
  });
});

describe("a hub", () => {
  const hubOf = (authorize: Authorize) =>
    defineHub()({
      authorize,
      methods: { whoAmI: (hub) => hub.userIdentifier, premium: method({ policy: "premium" }) },
    });
  const hubs = {
    admins: hubOf({ roles: ["Admin"] }),
    premium: hubOf({ policy: "premium" }),
    later: hubOf({ policy: "later" }),
    both: hubOf({ roles: ["Admin"], policy: "premium" }),
    throws: hubOf({ policy: "throws" }),
    rejects: hubOf({ policy: "rejects" }),
    truthy: hubOf({ policy: "truthy" }),
    records: hubOf({ policy: "records" }),
  };
  let service: RunningService;
  beforeAll(async () => {
    service = await start({ hubs, auth, policies });
    return () => service.close();
  });

  it.each<[string, object]>([
    ["admins", ADMIN],
    ["premium", PREMIUM],
    ["later", PREMIUM],
    ["both", BOTH],
  ])("lets in whom it asks for: %s", async (path, claims) => {
    const connection = await service.connect(`/${path}`, as(claims));
    expect(await connection.invoke("whoAmI")).toBe((claims as { sub: string }).sub);
  });

  it.each(Object.keys(hubs))("is a 401 to nobody known: %s", async (path) => {
    await expect(service.connect(`/${path}`)).rejects.toThrow("Error: Unauthorized: Status code '401'");
    await expect(service.open(`/${path}`)).rejects.toThrow(new Refused(401));
  });

  it.each<[string, object]>([
    ["admins", PREMIUM],
    ["premium", ADMIN],
    ["later", ADMIN],
    ["both", ADMIN],
    ["both", PREMIUM],
    ["throws", BOTH],
    ["rejects", BOTH],
    ["truthy", BOTH],
  ])("is a 403 to whoever lacks the role or does not satisfy the policy: %s, %j", async (path, claims) => {
    const options = as(claims);
    await expect(service.connect(`/${path}`, options)).rejects.toThrow("Error: Forbidden: Status code '403'");
    const token = options.accessTokenFactory();
    await expect(service.open(`/${path}?access_token=${token}`)).rejects.toThrow(new Refused(403));
  });

  it("asks its policy at negotiate and at connect, without a method", async () => {
    judged.length = 0;
    await service.connect("/records", as(ADA));
    const context = { userIdentifier: "ada", hub: "records", method: undefined, args: [], connectionId: undefined };
    expect(judged).toMatchObject([context, context]);
  });

  it("and its method must both let a user through", async () => {
    const [admin, both] = [await service.connect("/admins", as(ADMIN)), await service.connect("/admins", as(BOTH))];
    await expect(admin.invoke("premium")).rejects.toThrow(unauthorized("premium"));
    expect(await both.invoke("premium")).toBe("barbara");
  });
});

it("says who a user is by the claims that the service names", async () => {
  const whoAmI = defineHub<{ told(text: string): void }>()({
    methods: {
      whoAmI: ({ userIdentifier, user: { name, roles } }) => ({ userIdentifier, name, roles }),
      tell: (hub, user: string, word: string) => hub.clients.user(user).told(word),
      staff: method({ roles: ["staff"] }),
    },
  });
  const claimTypes = { userIdentifier: ["employee", "sub"], name: ["display"], roles: ["teams"] };
  const service = await serve({ hubs: { chat: whoAmI }, auth, claimTypes });
  const connection = await service.connect("/chat", as({ sub: "x", employee: 7, display: "Ada", teams: ["staff"] }));
  expect(await connection.invoke("whoAmI")).toEqual({ userIdentifier: "7", name: "Ada", roles: ["staff"] });
  expect(await connection.invoke("staff")).toBe("7");
  const told = calls(connection, "told");
  const other = await service.connect("/chat", as({ sub: "7b", role: "staff" }));
  expect(await other.invoke("whoAmI")).toEqual({ userIdentifier: "7b", roles: [] });
  await expect(other.invoke("staff")).rejects.toThrow(unauthorized("staff"));
  await other.invoke("tell", "7", "by employee");
  expect(await told.next()).toEqual(["by employee"]);
});

/** What a stream ends with. */
function streamed(connection: HubConnection, name: string): Promise<unknown[]> {
  return new Promise((resolve, error) => {
    const items: unknown[] = [];
    connection.stream(name).subscribe({ next: (item) => items.push(item), error, complete: () => resolve(items) });
  });
}
