// From what a client sent to what the author's method takes.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { HubException } from "./hub-exception.ts";
import type { Method } from "./hub-method.ts";
import { checkedUpload, isUpload } from "./upload.ts";

/** Named as the reference names it, for clients in detail mode. */
export class InvalidDataException extends Error {
  override readonly name = "InvalidDataException";
}

/** @throws InvalidDataException, HubException, or what a schema throws. */
export async function bindArguments(
  { schemas }: Pick<Method, "schemas">,
  given: readonly unknown[],
  uploads: readonly AsyncIterable<unknown>[],
): Promise<readonly unknown[]> {
  if (schemas === undefined) return given;
  const plain = schemas.filter((schema) => !isUpload(schema));
  if (given.length !== plain.length) {
    throw new InvalidDataException(
      `Invocation provides ${given.length} argument(s) but target expects ${plain.length}.`,
    );
  }
  const values = await Promise.all(plain.map((schema, index) => check(schema, given[index], index)));
  const [value, upload] = [values.values(), uploads.values()];
  return schemas.map((schema) =>
    isUpload(schema) ? checkedUpload(schema, upload.next().value ?? NOTHING) : value.next().value,
  );
}

const NOTHING: AsyncIterable<unknown> = (async function* () {})();

async function check(schema: StandardSchemaV1, value: unknown, index: number): Promise<unknown> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const issue = result.issues[0];
  const path = (issue?.path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join(".");
  throw new HubException(
    `Validation failed: argument ${index + 1}${path === "" ? "" : ` (${path})`}: ${issue?.message}`,
  );
}
