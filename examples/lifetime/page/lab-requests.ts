// The browser's `fetch` and `EventSource`, with an eye on what named clients do over HTTP: polls, what they send, and
// event streams. They take the place of the browser's own, where the stock client finds them.

export interface RequestWatcher {
  /** A request was sent that carries messages. */
  sent(): void;
  /** Messages have come. */
  received(): void;
  pollBegins(): void;
  /** @param status undefined for one that broke off. */
  pollEnds(status: number | undefined): void;
  streamOpens(): void;
  streamEnds(): void;
}

const watchers = new Map<string, RequestWatcher>();

export function watchRequests(client: string, watcher: RequestWatcher): void {
  watchers.set(client, watcher);
}

function watcherOf(url: string | URL): RequestWatcher | undefined {
  const { pathname, searchParams } = new URL(url, location.href);
  return pathname.endsWith("/negotiate") ? undefined : watchers.get(searchParams.get("lab") ?? "");
}

const plainFetch = globalThis.fetch.bind(globalThis);

globalThis.fetch = async (input, init) => {
  const watcher = watcherOf(input instanceof Request ? input.url : input);
  if (watcher === undefined) return plainFetch(input, init);
  if (init?.method !== "GET") {
    watcher.sent();
    return plainFetch(input, init);
  }
  watcher.pollBegins();
  try {
    const response = await plainFetch(input, init);
    watcher.pollEnds(response.status);
    if ((await response.clone().text()) !== "") watcher.received();
    return response;
  } catch (error) {
    watcher.pollEnds(undefined);
    throw error;
  }
};

globalThis.EventSource = class extends EventSource {
  readonly #watcher: RequestWatcher | undefined;

  constructor(url: string | URL, options?: EventSourceInit) {
    super(url, options);
    this.#watcher = watcherOf(url);
    this.addEventListener("open", () => this.#watcher?.streamOpens());
    this.addEventListener("message", () => this.#watcher?.received());
  }

  override close(): void {
    super.close();
    this.#watcher?.streamEnds();
  }
};
