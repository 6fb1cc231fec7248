// The command line as a user has it: the built package, in a process of its own.

import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type HubConnection, HubConnectionBuilder, type IHttpConnectionOptions, LogLevel } from "@microsoft/signalr";
import { decodeJwt } from "jose";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type RunningCli, runCli } from "./running-cli.ts";

let directory: string;
const running: RunningCli[] = [];
const connections: HubConnection[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "signalr-lambda-"));
});

afterEach(async () => {
  await Promise.all(connections.splice(0).map((connection) => connection.stop()));
  for (const cli of running.splice(0)) await cli.end();
  await rm(directory, { recursive: true });
});

const service = (greeting: string) => `
  import { defineHub, defineService } from "signalr-lambda";
  const chat = defineHub<{ told(text: string): void }>()({
    methods: {
      greet: (_hub, name: string) => \`${greeting}, \${name}\`,
      forget: () => { void Promise.reject(new TypeError("nobody waited")); },
      join: (hub, group: string) => hub.groups.add(group),
      tell: (hub, group: string, text: string) => hub.clients.group(group).told(text),
    },
  });
  export default defineService({ hubs: { chat } });
`;

function start(...args: string[]): RunningCli {
  const cli = runCli(args);
  running.push(cli);
  return cli;
}

async function failure(...args: string[]): Promise<{ code: number | null; errors: string }> {
  const { child } = start(...args);
  let errors = "";
  child.stderr?.on("data", (text) => {
    errors += text;
  });
  const [code] = await once(child, "close");
  return { code, errors };
}

async function connect(url: string, options: IHttpConnectionOptions = {}): Promise<HubConnection> {
  const connection = new HubConnectionBuilder().withUrl(`${url}/chat`, options).configureLogging(LogLevel.None).build();
  connections.push(connection);
  await connection.start();
  return connection;
}

describe("signalr-lambda dev", () => {
  it("prints the URL first, and serves the hub there", async () => {
    const file = join(directory, "realtime.ts");
    await writeFile(file, service("Hello"));
    const url = await start("dev", file, "--port", "0").line();
    expect(url).toMatch(/^http:\/\/localhost:\d+$/);
    expect(await (await connect(url)).invoke("greet", "Ada")).toBe("Hello, Ada");
  });

  it("reloads on change without dropping a socket, an id or a group", async () => {
    const file = join(directory, "realtime.ts");
    await writeFile(file, service("Hello"));
    const server = start("dev", file, "--port", "0");
    const connection = await connect(await server.line());
    const { connectionId } = connection;
    const told = new Promise((resolve) => connection.on("told", resolve));
    await connection.invoke("join", "room");

    await writeFile(file, service("Good morning"));
    await server.line(/^Reloaded/);

    expect(await connection.invoke("greet", "Ada")).toBe("Good morning, Ada");
    await connection.invoke("tell", "room", "still here");
    expect(await told).toBe("still here");
    expect(connection.connectionId).toBe(connectionId);
  });

  it("keeps the running service when a change does not compile, and says where", async () => {
    const file = join(directory, "realtime.ts");
    await writeFile(file, service("Hello"));
    const server = start("dev", file, "--port", "0");
    const connection = await connect(await server.line());

    await writeFile(file, "export default {{");

    expect(await server.errorText(/goes on as it was/)).toContain("realtime.ts:1:");
    expect(await connection.invoke("greet", "Ada")).toBe("Hello, Ada");
  });

  it("serves pages from several directories, and lets them switch faults", async () => {
    const file = join(directory, "realtime.ts");
    await writeFile(file, service("Hello"));
    for (const page of ["home", "lab"]) {
      await mkdir(join(directory, page));
      await writeFile(join(directory, page, "index.html"), page);
    }
    const pages = ["--pages", join(directory, "home"), "--pages", `lab=${join(directory, "lab")}`];
    const server = start("dev", file, "--port", "0", ...pages);
    const url = await server.line();
    for (const [path, page] of Object.entries({ "/": "home", "/lab/": "lab" })) {
      expect(await server.line(/page/)).toBe(`  page ${url}${path}`);
      expect(await (await fetch(url + path)).text()).toBe(page);
    }
    const cut = {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: '{"fault":"cut","client":"a"}',
    };
    expect((await fetch(`${url}/_gateway/faults`, cut)).status).toBe(404);
    const foreign = { ...cut, headers: { ...cut.headers, origin: "https://evil.test" } };
    expect((await fetch(`${url}/_gateway/faults`, foreign)).status).toBe(403);
  });

  it("prints, on one line, what a second process sends and negotiates with, and runs commands with it", async () => {
    const file = join(directory, "realtime.ts");
    await writeFile(file, service("Hello"));
    const script = join(directory, "told.json");
    const echo = `node -e "fs.writeFileSync('${script}', JSON.stringify(process.env)); setInterval(() => {}, 1000)"`;
    const server = start("dev", file, "--port", "0", "--run", echo, "--run", "exit 3");
    const url = await server.line();
    const line = await server.line(/SIGNALR_TABLE/);
    const environment = Object.fromEntries(line.split(" ").map((variable) => variable.split("=")));
    expect(environment).toEqual({
      SIGNALR_TABLE: "signalr-lambda",
      SIGNALR_CALLBACK_URL: `${url}/_gateway/prod`,
      SIGNALR_URL: url,
      SIGNALR_TOKEN_SECRET: expect.stringMatching(/^[0-9a-f]{64}$/),
      AWS_ENDPOINT_URL_DYNAMODB: `${url}/_gateway/dynamodb`,
      AWS_REGION: "local",
      AWS_ACCESS_KEY_ID: "local",
      AWS_SECRET_ACCESS_KEY: "local",
    });
    await server.errorText(/'exit 3' ended with 3/);
    await expect.poll(() => readFile(script, "utf8").catch(() => "")).toMatch(/}$/);
    expect(JSON.parse(await readFile(script, "utf8"))).toMatchObject(environment);
    // What it runs ends with it, or its output would stay open.
    await Promise.all([once(server.child, "close"), server.end()]);
  });

  it("tells a second process nothing when it is open to others", async () => {
    const file = join(directory, "realtime.ts");
    await writeFile(file, service("Hello"));
    const server = start("dev", file, "--port", "0", "--host", "0.0.0.0");
    const lines: string[] = [];
    while (!lines.at(-1)?.startsWith("Watching")) lines.push(await server.line());
    expect(lines.join()).not.toMatch(/SIGNALR_TABLE|SIGNALR_TOKEN_SECRET/);
  });

  it("goes on after a promise that a method left rejected, and logs its error", async () => {
    const file = join(directory, "realtime.ts");
    await writeFile(file, service("Hello"));
    const server = start("dev", file, "--port", "0");
    const connection = await connect(await server.line());
    await connection.invoke("forget");
    const [line] = (await server.errorText(/nobody waited.*\n/)).split("\n").filter((text) => /nobody/.test(text));
    expect(JSON.parse(line ?? "")).toMatchObject({
      level: "error",
      error: { name: "TypeError", message: "nobody waited", stack: expect.stringContaining("realtime.ts") },
    });
    expect(await connection.invoke("greet", "Ada")).toBe("Hello, Ada");
  });

  it("ends with a clear message when the port is taken", async () => {
    const file = join(directory, "realtime.ts");
    await writeFile(file, service("Hello"));
    const port = new URL(await start("dev", file, "--port", "0").line()).port;
    const { code, errors } = await failure("dev", file, "--port", port);
    expect(code).toBe(1);
    expect(errors).toContain(`Port ${port} is in use.`);
  });

  it.each([
    ["does not exist", undefined, "missing.ts"],
    ["does not compile", "const = 1;", "realtime.ts"],
    ["exports no service", "export const answer = 42;", "export default defineService("],
    ["throws", "throw new Error('no database');", "no database"],
  ])("ends with a clear message when the service file %s", async (_what, content, expected) => {
    const file = join(directory, content === undefined ? "missing.ts" : "realtime.ts");
    if (content !== undefined) await writeFile(file, content);
    const { code, errors } = await failure("dev", file, "--port", "0");
    expect(code).toBe(1);
    expect(errors).toContain(expected);
    expect(errors).toContain(file);
  });

  it.each([[[]], [["serve"]], [["dev"]], [["dev", "a.ts", "b.ts"]]])("prints its usage for %j", async (args) => {
    const { code, errors } = await failure(...args);
    expect(code).toBe(1);
    expect(errors).toContain("Usage: signalr-lambda dev FILE");
  });

  it("says which option is wrong", async () => {
    expect((await failure("dev", "a.ts", "--port", "http")).errors).toContain("--port is 'http'");
    expect((await failure("dev", "a.ts", "--prot", "1")).errors).toContain("--prot");
  });
});

describe("signalr-lambda token", () => {
  const secret = "a secret of 32 characters, for this test";
  const needed = ["token", "--secret", secret, "--sub", "ada"];

  it("prints a token that jwtBearer takes, with roles and claims", async () => {
    const file = join(directory, "realtime.ts");
    await writeFile(
      file,
      `import { defineHub, defineService, jwtBearer } from "signalr-lambda";
      const chat = defineHub()({
        methods: {
          greet: {
            args: [],
            authorize: { roles: ["Admin"], policy: "premium" },
            handler: ({ userIdentifier, user }) => [userIdentifier, user.roles, user.claims.constructor],
          },
        },
      });
      export default defineService({
        hubs: { chat },
        auth: jwtBearer({ secret: "${secret}" }),
        policies: { premium: ({ user }) => user.claims.tier === "premium" },
      });`,
    );
    const url = await start("dev", file, "--port", "0").line();
    const options = ["--role", "Admin", "--role", "Author", "--claim", "tier=premium", "--claim", "constructor=a=b"];
    const accessToken = await start(...needed, ...options).line();
    const connection = await connect(url, { accessTokenFactory: () => accessToken });
    expect(await connection.invoke("greet")).toEqual(["ada", ["Admin", "Author"], "a=b"]);
  });

  it("prints a token that is good for as long as asked", async () => {
    const { iat, exp } = decodeJwt(await start(...needed, "--minutes", "1.5").line());
    expect((exp ?? 0) - (iat ?? 0)).toBe(90);
  });

  it.each([
    [["token"], "--secret and --sub are needed"],
    [["token", "--secret", secret], "--secret and --sub are needed"],
    [["token", "--secret", "short", "--sub", "ada"], "at least 32 characters"],
    [[...needed, "--claim", "premium"], "--claim is 'premium'; it is NAME=VALUE"],
    [[...needed, "--claim", "exp=1"], "Use --minutes"],
    [[...needed, "--claim", "a=1", "--claim", "a=2"], "sets 'a' twice"],
    [[...needed, "--minutes", "soon"], "--minutes is 'soon'"],
    [[...needed, "--rule", "Admin"], "--rule"],
    [[...needed, "ada"], "ada"],
  ])("says what is wrong with %j", async (args, expected) => {
    const { code, errors } = await failure(...args);
    expect(code).toBe(1);
    expect(errors).toContain(expected);
    expect(errors).not.toContain("at parse");
  });
});
