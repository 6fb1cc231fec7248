// Long polling with nothing but `fetch`: one request at a time, as a test wants it.

import { frame, RS } from "../protocol/records.ts";
import { HANDSHAKE, type Message } from "./bare-client.ts";
import type { Offer } from "./running-service.ts";

type Headers = Readonly<Record<string, string>>;

/** Where hubs are served. */
interface Served {
  readonly url: string;
}

/** What a poll answered. */
export interface PollAnswer {
  readonly status: number;
  readonly headers: globalThis.Headers;
  /** UTF-8. */
  readonly text: string;
  readonly bytes: Uint8Array;
  /** The records of the text. */
  readonly messages: readonly Message[];
}

export class PollingClient {
  readonly offer: Offer;
  readonly #url: string;
  readonly #headers: Headers;
  #polls = 0;
  /** What came along with the answer to the handshake. */
  #rest: readonly Message[] = [];

  private constructor(offer: Offer, url: string, headers: Headers) {
    this.offer = offer;
    this.#url = url;
    this.#headers = headers;
  }

  get connectionId(): string {
    return this.offer.connectionId;
  }

  /** Negotiates, and does no more. @param path with the query of the hub's URL. */
  static async negotiate(service: Served, path = "/chat", headers: Headers = {}): Promise<PollingClient> {
    const [hub, query = ""] = path.split("?");
    const url = `${service.url}${hub}/negotiate?${query}${query && "&"}negotiateVersion=1`;
    const offer = (await (await fetch(url, { method: "POST", headers })).json()) as Offer;
    const base = `${service.url}${hub}?${query}${query && "&"}`;
    return new PollingClient(offer, `${base}id=${offer.connectionToken}`, headers);
  }

  /** Up to the answer to the first poll. */
  static async open(service: Served, path?: string, headers?: Headers): Promise<PollingClient> {
    const client = await PollingClient.negotiate(service, path, headers);
    const { status, text } = await client.poll();
    if (status !== 200) throw new Error(`The first poll was answered with ${status}: ${text}`);
    return client;
  }

  /** Up to the answer to the handshake. */
  static async greet(service: Served, path?: string, headers?: Headers): Promise<PollingClient> {
    const client = await PollingClient.open(service, path, headers);
    await client.post(HANDSHAKE);
    const [reply, ...behind] = await client.take(1);
    if (JSON.stringify(reply) !== "{}") throw new Error(`The handshake was answered with ${JSON.stringify(reply)}`);
    client.#rest = behind;
    return client;
  }

  async poll(init: RequestInit = {}): Promise<PollAnswer> {
    this.#polls += 1;
    const headers = { "x-requested-with": "XMLHttpRequest", ...this.#headers, ...init.headers };
    const response = await fetch(`${this.#url}&_=${this.#polls}`, { ...init, headers });
    const bytes = new Uint8Array(await response.arrayBuffer());
    const text = new TextDecoder().decode(bytes);
    return { status: response.status, headers: response.headers, text, bytes, messages: toMessages(text) };
  }

  /** Everything until so many messages have come, or the polls are over. */
  async take(count: number): Promise<readonly Message[]> {
    const taken = [...this.#rest];
    this.#rest = [];
    while (taken.length < count) {
      const { status, messages } = await this.poll();
      if (status !== 200) break;
      taken.push(...messages);
    }
    return taken;
  }

  /** Records as one body. Strings are sent as they are. */
  post(...records: readonly (string | Message)[]): Promise<Answer> {
    return this.postBody(frame(...records.map((each) => (typeof each === "string" ? each : JSON.stringify(each)))));
  }

  postBody(body: string | Uint8Array<ArrayBuffer>, headers: Headers = {}): Promise<Answer> {
    return this.request("POST", { body, headers });
  }

  /** Invokes, and polls for the completion. What came before it is dropped. */
  async invoke(target: string, ...args: readonly unknown[]): Promise<Message> {
    await this.post({ type: 1, invocationId: "i", target, arguments: args });
    for (;;) {
      const messages = await this.take(1);
      const answer = messages.find(({ invocationId }) => invocationId === "i");
      if (answer !== undefined || messages.length === 0) return answer ?? {};
    }
  }

  delete(headers?: Headers): Promise<Answer> {
    return this.request("DELETE", { headers });
  }

  async request(method: string, init: { body?: string | Uint8Array<ArrayBuffer>; headers?: Headers | undefined } = {}) {
    const response = await fetch(this.#url, { method, ...init, headers: { ...this.#headers, ...init.headers } });
    return { status: response.status, headers: response.headers, text: await response.text() };
  }
}

export interface Answer {
  readonly status: number;
  readonly headers: globalThis.Headers;
  readonly text: string;
}

/** Nothing for what is no JSON. */
function toMessages(text: string): readonly Message[] {
  try {
    return text
      .split(RS)
      .slice(0, -1)
      .map((record) => JSON.parse(record) as Message);
  } catch {
    return [];
  }
}
