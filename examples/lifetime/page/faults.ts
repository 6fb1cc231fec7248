// The local gateway's fault switches, and what it tells: `/_gateway/faults`, there only when `signalr-lambda dev`
// serves this page on a loopback address.

const PATH = "/_gateway/faults";
const MISSING = "There are no fault switches here. Serve this page with 'signalr-lambda dev', on this machine only.";

export type Fault = "cut" | "halfOpen" | "release" | "dropDisconnects" | "refuseConnects" | "age";

/** @throws Error with the gateway's words. */
export async function switchFault(fault: Fault, client: string, milliseconds = 0): Promise<void> {
  const response = await fetch(PATH, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ fault, client, milliseconds }),
  });
  if (response.ok) return;
  const { error } = (await response.json().catch(() => ({}))) as { error?: string };
  throw new Error(error ?? MISSING);
}

/** Times are epoch milliseconds of the server's machine, which is this one. */
export type GatewayEvent = { readonly client: string; readonly at: number } & (
  | { readonly kind: "negotiated" | "refused"; readonly status: number }
  | { readonly kind: "accepted" }
  | { readonly kind: "closed"; readonly code: number }
  | { readonly kind: "disconnect"; readonly delivered: boolean }
);

/**
 * Resolves when the gateway tells what it does. The browser reopens the stream when it breaks.
 *
 * @throws Error if there are no fault switches here.
 */
export function watchGateway(onEvent: (event: GatewayEvent) => void): Promise<void> {
  const source = new EventSource(PATH);
  return new Promise((resolve, reject) => {
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) reject(new Error(MISSING));
    };
    source.onmessage = ({ data }) => {
      const event = JSON.parse(data) as GatewayEvent | { readonly kind: "watching" };
      if (event.kind === "watching") resolve();
      else onEvent(event);
    };
  });
}
