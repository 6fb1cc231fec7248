// Arguments that a client streams: `upload(schema)` stands among a method's schemas for an AsyncIterable of items.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { AnyHubDefinition } from "./define-hub.ts";
import { HubException } from "./hub-exception.ts";

/** What {@link upload} returns. */
export interface Upload<Input = unknown, Output = unknown>
  extends StandardSchemaV1<AsyncIterable<Input>, AsyncIterable<Output>> {
  /** Of one item. */
  readonly item: StandardSchemaV1<Input, Output>;
}

const VENDOR = "signalr-lambda.upload";

/**
 * A stream from the client as an argument: the handler gets an AsyncIterable whose items the schema has checked.
 *
 * @param item a Standard Schema (zod, valibot, arktype, …) for one item. One that refuses an item ends the stream with
 *   a HubException in the handler.
 * @example
 * sum: { args: [z.string(), upload(z.number())], async handler(_hub, label, numbers) {
 *   let sum = 0;
 *   for await (const number of numbers) sum += number;
 *   return `${label}: ${sum}`;
 * } }
 */
export function upload<Item extends StandardSchemaV1>(
  item: Item,
): Upload<StandardSchemaV1.InferInput<Item>, StandardSchemaV1.InferOutput<Item>> {
  if (item === null || (typeof item !== "object" && typeof item !== "function") || !("~standard" in item)) {
    throw new TypeError("upload needs a Standard Schema (zod, valibot, arktype, …) for one item.");
  }
  return {
    item: item as Upload<StandardSchemaV1.InferInput<Item>, StandardSchemaV1.InferOutput<Item>>["item"],
    "~standard": { version: 1, vendor: VENDOR, validate: (value) => ({ value: value as never }) },
  };
}

export function isUpload(schema: StandardSchemaV1): schema is Upload {
  return schema["~standard"].vendor === VENDOR;
}

/** The items as the schema leaves them. */
export async function* checkedUpload({ item }: Upload, source: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  for await (const each of source) {
    const result = await item["~standard"].validate(each);
    if (result.issues !== undefined) {
      throw new HubException(`Validation failed: stream item: ${result.issues[0]?.message}`);
    }
    yield result.value;
  }
}

const hubsWithUploads = new WeakMap<AnyHubDefinition, boolean>();

/** Whether any method of the hub takes a stream: what clients send to others is ignored. */
export function takesUploads(hub: AnyHubDefinition): boolean {
  let takes = hubsWithUploads.get(hub);
  if (takes === undefined) {
    const methods = Object.values(hub.methods) as readonly { readonly args?: readonly StandardSchemaV1[] }[];
    takes = methods.some((method) => typeof method === "object" && method.args?.some(isUpload));
    hubsWithUploads.set(hub, takes);
  }
  return takes;
}
