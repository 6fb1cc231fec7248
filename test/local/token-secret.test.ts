import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { tokenSecret } from "../../lambdas/local/index.ts";

let directory: string;
let file: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "token-secret-"));
  file = join(directory, "token-secret");
});
afterEach(() => rm(directory, { recursive: true }));

it("is made once and stays, readable for this user alone", async () => {
  const secret = await tokenSecret(directory);
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(await tokenSecret(directory)).toBe(secret);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readdir(directory)).toEqual(["token-secret"]);
});

it("is another one in another directory, which is made if need be", async () => {
  const other = join(directory, "other", "place");
  expect(await tokenSecret(other)).not.toBe(await tokenSecret(directory));
});

it("is one for all who ask at once", async () => {
  const secrets = await Promise.all(Array.from({ length: 20 }, () => tokenSecret(directory)));
  expect(new Set(secrets).size).toBe(1);
  expect(await readdir(directory)).toEqual(["token-secret"]);
});

it("may end in the line break of an editor", async () => {
  const secret = await tokenSecret(directory);
  await writeFile(file, `${secret}\n`);
  expect(await tokenSecret(directory)).toBe(secret);
});

it.each([
  ["is empty", ""],
  ["is short", "secret"],
  ["has another line", `${"a".repeat(43)}\n${"b".repeat(43)}`],
])("is refused, and left as it is, when it %s", async (_title, text) => {
  await writeFile(file, text);
  await expect(tokenSecret(directory)).rejects.toMatchObject({
    name: "TokenSecretError",
    code: "token_secret_unusable",
    message: expect.stringContaining(`The token secret in ${file} is not one that was made here.`),
  });
  expect(await readFile(file, "utf8")).toBe(text);
});

it("says when it cannot be read", async () => {
  // A directory in its place: whoever runs the tests may be allowed to read every file.
  await mkdir(file);
  await expect(tokenSecret(directory)).rejects.toThrow(`The token secret in ${file} cannot be read.`);
});

it("says when it cannot be written", async () => {
  const blocked = join(directory, "blocked");
  await writeFile(blocked, "");
  await expect(tokenSecret(join(blocked, "data"))).rejects.toMatchObject({ code: "token_secret_unusable" });
});
