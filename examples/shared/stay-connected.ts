// Beside automatic reconnect: the first start, which is the page's to repeat, and a line that says where we are.

import type { HubConnection } from "@microsoft/signalr";
import { element } from "./elements.ts";

/** Between two tries to start. Milliseconds. */
const PAUSE = 2_000;

/**
 * Starts the connection, and again whenever automatic reconnect has given up. `onConnected` runs after the first start
 * and after every reconnect that did not go unnoticed. `isNew` is false where the server kept the connection, with its
 * id and groups; a new one is in no group yet.
 */
export function stayConnected(
  connection: HubConnection,
  onConnected: (isNew: boolean) => Promise<unknown> = async () => {},
): void {
  let connectionId: string | null | undefined;

  async function start(): Promise<void> {
    for (;;) {
      showState("connecting");
      try {
        await connection.start();
        return await connected();
      } catch (reason) {
        showState("disconnected");
        showError(reason);
        if (/Status code '40[13]'/.test(String(reason))) return; // Who may not come in gains nothing by asking again.
        await new Promise((resolve) => setTimeout(resolve, PAUSE));
      }
    }
  }

  async function connected(): Promise<void> {
    showState("connected");
    showError();
    const isNew = connectionId !== connection.connectionId;
    connectionId = connection.connectionId;
    await onConnected(isNew).catch(showError);
  }

  connection.onreconnecting(() => showState("reconnecting"));
  connection.onreconnected(() => connected());
  connection.onclose(() => void start());
  void start();
}

/** In the status line, and by buttons that do nothing while nobody would hear. */
export function showState(now: "connecting" | "connected" | "reconnecting" | "disconnected"): void {
  const state = element("state", HTMLElement);
  state.textContent = now;
  state.dataset.state = now;
  for (const button of document.querySelectorAll("button")) button.disabled = now !== "connected";
}

/** Shows what went wrong, or that nothing did. */
export async function attempt(run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
    showError();
  } catch (reason) {
    showError(reason);
  }
}

/** Nothing, or what the server had to say: the words of a HubException without what the client puts before them. */
export function showError(reason?: unknown): void {
  const text = reason instanceof Error ? reason.message : "";
  element("error", HTMLElement).textContent = /HubException: (.*)/s.exec(text)?.[1] ?? text;
}
