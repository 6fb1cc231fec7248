import { describe, expect, it } from "vitest";
import { type Admission, admit, isRefusal } from "../../lambdas/hub/admission.ts";
import type { Authenticate, AuthRequest, Claims, ClientRequest } from "../../lambdas/hub/index.ts";
import { admissionPorts, requestFor } from "./requests.ts";

const URI = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims";
const ROLE_URI = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role";

describe("a user", () => {
  it.each<[Claims, Partial<Admission["user"]> & { id?: string | undefined }]>([
    [{}, { id: undefined, name: undefined, roles: [] }],
    [{ sub: "1" }, { id: "1" }],
    [{ sub: "1", nameid: "2" }, { id: "2" }],
    [{ sub: "1", nameid: "2", [`${URI}/nameidentifier`]: "3" }, { id: "3" }],
    [{ sub: "", nameid: null }, { id: undefined }],
    [{ sub: 7 }, { id: "7" }],
    [{ sub: ["1"] }, { id: undefined }],
    [{ "cognito:username": "c", preferred_username: "p" }, { name: "p" }],
    [{ preferred_username: "p", unique_name: "u" }, { name: "u" }],
    [{ unique_name: "u", name: "n" }, { name: "n" }],
    [{ name: "n", [`${URI}/name`]: "long" }, { name: "long" }],
    [{ role: "a" }, { roles: ["a"] }],
    [
      { role: ["a", "b"], roles: ["c"], [ROLE_URI]: "d", "cognito:groups": ["e"] },
      { roles: ["d", "a", "b", "c", "e"] },
    ],
    [{ role: ["a", 1, null, { b: 1 }] }, { roles: ["a"] }],
    [JSON.parse('{"__proto__":{"sub":"1","role":"Admin"}}'), { id: undefined, roles: [] }],
  ])("is read from the claims %j", async (claims, expected) => {
    const { id = undefined, ...user } = expected;
    const admission = await admitted({ auth: () => claims });
    expect(admission.user).toMatchObject({ isAuthenticated: true, claims, ...user });
    if ("id" in expected) expect(admission.userIdentifier).toBe(id);
  });

  it("is refused when the identifier is longer than a key can be", async () => {
    const { ports } = admissionPorts({ auth: () => ({ sub: "ü".repeat(451) }) });
    const admission = await admit(ports, requestFor());
    expect(admission).toEqual({ status: 400, body: "A user identifier has at most 900 bytes" });
    expect((await admitted({ auth: () => ({ sub: "ü".repeat(450) }) })).userIdentifier).toHaveLength(450);
  });

  it("is read from the claims that the service names", async () => {
    const claims = { sub: "1", email: "a@b", nick: "ada", groups: ["x"], role: "y" };
    const claimTypes = { userIdentifier: ["email"], name: ["nick"], roles: ["groups"] };
    const admission = await admitted({ auth: () => claims, claimTypes });
    expect(admission).toMatchObject({ userIdentifier: "a@b", user: { name: "ada", roles: ["x"] } });
  });

  it.each([[undefined], [() => null], [async () => null], [() => undefined as unknown as null]])(
    "is anonymous when auth knows nobody (%#)",
    async (auth) => {
      const admission = await admitted(auth === undefined ? {} : { auth });
      expect(admission.user).toEqual({ isAuthenticated: false, name: undefined, roles: [], claims: {} });
      expect(admission.userIdentifier).toBeUndefined();
    },
  );
});

describe("what auth is given", () => {
  it.each<[Partial<ClientRequest>, string | undefined]>([
    [{}, undefined],
    [{ headers: { authorization: "Bearer a.b.c" } }, "a.b.c"],
    [{ headers: { authorization: "bearer   a" } }, "a"],
    [{ headers: { authorization: "Basic abc" } }, undefined],
    [{ headers: { authorization: "Bearer" } }, undefined],
    [{ headers: { authorization: "Bearer a b" } }, undefined],
    [{ query: { access_token: "q" } }, "q"],
    [{ query: { ACCESS_TOKEN: "q" } }, "q"],
    [{ headers: { authorization: "Bearer h" }, query: { access_token: "q" } }, "h"],
    [{ headers: { authorization: "Basic abc" }, query: { access_token: "q" } }, "q"],
  ])("has the token of %j", async (request, token) => {
    expect(await authRequestOf(request)).toMatchObject({ token });
  });

  it.each<[string | undefined, Record<string, string>]>([
    [undefined, {}],
    ["", {}],
    ["a=1; b=2;c=3", { a: "1", b: "2", c: "3" }],
    ["a=1=2; =x; novalue; b=", { a: "1=2", b: "" }],
    ["__proto__=1; constructor=2", JSON.parse('{"__proto__":"1","constructor":"2"}')],
  ])("has the cookies of %j", async (cookie, cookies) => {
    const request = await authRequestOf({ headers: { cookie } });
    expect(Object.entries(request.cookies)).toEqual(Object.entries(cookies));
    expect(Object.getPrototypeOf(request.cookies)).toBeNull();
  });
});

describe("admission", () => {
  it.each([
    ["nowhere", undefined, { status: 404, body: "No hub is served at '/nowhere'." }],
    ["__proto__", undefined, { status: 404, body: "No hub is served at '/__proto__'." }],
    ["members", undefined, { status: 401, body: "Unauthorized" }],
    ["admins", undefined, { status: 401, body: "Unauthorized" }],
    ["admins", { role: "User" }, { status: 403, body: "Forbidden" }],
    ["nobodys", { role: "Admin" }, { status: 403, body: "Forbidden" }],
  ])("to %s is refused to %j", async (hubPath, claims, refusal) => {
    const { ports } = admissionPorts({ auth: () => claims ?? null });
    expect(await admit(ports, requestFor({ hubPath }))).toEqual(refusal);
  });

  it.each([
    ["CHAT", undefined],
    ["members", {}],
    ["Admins", { role: ["User", "Admin"] }],
  ])("to %s is granted to %j", async (hubPath, claims) => {
    const { ports } = admissionPorts({ auth: () => claims ?? null });
    expect(await admit(ports, requestFor({ hubPath }))).toMatchObject({ hub: { path: hubPath.toLowerCase() } });
  });

  it("is refused, and nobody taken for anonymous, when auth throws", async () => {
    const error = new Error("down");
    const { ports, lines } = admissionPorts({ auth: () => Promise.reject(error) });
    expect(await admit(ports, requestFor())).toEqual({ status: 500, body: "Authentication is not available" });
    expect(lines).toMatchObject([{ level: "error", error }]);
  });
});

describe("an origin", () => {
  const host = "api.example.com";

  it.each<[string | undefined, readonly string[] | undefined, boolean]>([
    [undefined, undefined, true],
    [undefined, ["https://a.example"], true],
    ["https://a.example", ["https://b.example", "https://a.example"], true],
    ["https://a.example", ["*"], true],
    ["null", ["*"], true],
    ["https://a.example", [], false],
    ["http://a.example", ["https://a.example"], false],
    ["https://a.example:8443", ["https://a.example"], false],
    ["null", ["https://a.example"], false],
    [`https://${host}`, undefined, true],
    [`https://${host}`, ["https://a.example"], false],
    [`https://${host}:8443`, undefined, false],
    [`https://${host}.evil.com`, undefined, false],
    ["https://a.example", undefined, false],
    ["null", undefined, false],
    ["", undefined, false],
  ])("%j with the list %j may come in: %s", async (origin, allowedOrigins, allowed) => {
    const { ports, lines } = admissionPorts(allowedOrigins === undefined ? {} : { allowedOrigins });
    const admission = await admit(ports, requestFor({ headers: { origin, host } }));
    expect(isRefusal(admission)).toBe(!allowed);
    if (allowed) return expect(lines).toEqual([]);
    expect(admission).toEqual({ status: 403, body: "Origin not allowed" });
    expect(lines).toEqual([
      {
        level: "warn",
        message: "Refused a page of an origin that is not in `allowedOrigins` of defineService.",
        origin,
        host,
      },
    ]);
  });
});

async function admitted(
  options: Parameters<typeof admissionPorts>[0],
  request?: Partial<ClientRequest>,
): Promise<Admission> {
  const admission = await admit(admissionPorts(options).ports, requestFor(request));
  if (isRefusal(admission)) throw new Error(`Refused with ${admission.status}.`);
  return admission;
}

async function authRequestOf(request: Partial<ClientRequest>): Promise<AuthRequest> {
  return new Promise((resolve) => {
    const auth: Authenticate = (authRequest) => {
      resolve(authRequest);
      return null;
    };
    void admitted({ auth }, request);
  });
}
