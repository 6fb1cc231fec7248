// An AWS SDK request handler that calls a function instead of opening a socket: no port, and a fraction of the time.

/** What the SDK hands to a request handler, as far as it is used here. */
export interface SdkRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: the SDK's own type; here text or bytes, since no service has streams
  readonly body?: any;
}

/** One HTTP exchange, whichever way it came in. Header names are lower case. */
export interface ServiceRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export interface ServiceResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

export interface SdkResponse {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

/** Fits `requestHandler` of every AWS SDK client; the client still builds, signs, retries and parses as ever. */
export interface SdkRequestHandler {
  handle(request: SdkRequest): Promise<{ response: SdkResponse }>;
  updateHttpClientConfig(): void;
  httpHandlerConfigs(): Record<string, never>;
}

export function inProcessHandler(serve: (request: ServiceRequest) => Promise<ServiceResponse>): SdkRequestHandler {
  return {
    async handle({ method, path, headers, body }) {
      const lowerCase = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
      const { body: text, ...head } = await serve({
        method,
        path,
        headers: Object.fromEntries(lowerCase),
        body: bytesOf(body),
      });
      return { response: { ...head, body: Buffer.from(text) } };
    },
    // There is no HTTP client to configure.
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  };
}

/** A copy, as a socket would make: the caller may go on using its bytes. */
function bytesOf(body: string | Uint8Array | undefined): Buffer {
  return typeof body === "string" ? Buffer.from(body) : Buffer.concat(body ? [body] : []);
}
