// What comes before messages: a handshake, or nothing, if the connection is raw.

import type { Dialect, Handshake } from "../protocol/index.ts";
import type { Service } from "./define-service.ts";
import { isRaw, RAW, type Speaker } from "./protocols.ts";
import type { Store } from "./store.ts";
import { formatOf } from "./transport-names.ts";

/**
 * What a transport's frames are, as far as that has to be known before they are read. Where hubs and raw connections are
 * served together, only its row tells.
 */
export async function framesOf(
  { service, store }: { readonly service: Service; readonly store: Pick<Store, "transport"> },
  transportId: string,
): Promise<typeof RAW | undefined> {
  const kinds = new Set([...service.hubs.values()].map(({ definition }) => isRaw(definition)));
  if (!kinds.has(true)) return undefined;
  const isOfRaw = !kinds.has(false) || isRaw((await store.transport(transportId)) ?? {});
  return isOfRaw ? RAW : undefined;
}

/** What the first frame says. A raw connection has no handshake, and is opened by an empty frame. */
export function readHandshake(
  { dialect }: { readonly dialect: Dialect },
  { protocol, transportId }: Speaker & { readonly transportId: string },
  text: string,
): Handshake {
  if (!isRaw({ protocol })) return dialect.parseHandshake(text, formatOf(transportId));
  return { error: undefined, detail: undefined, protocol: RAW, counts: false, rest: "" };
}

/** What the client is told then: nothing, if its connection is raw. */
export function handshakeReply({ dialect }: { readonly dialect: Dialect }, speaker: Speaker, error?: string): string {
  return isRaw(speaker) ? "" : dialect.handshakeReply(error);
}
