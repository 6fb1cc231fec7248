// What API Gateway hands to a function and expects back, field by field. `@types/aws-lambda` types several of these
// wrongly (a messageId on every event, no disconnect code), hence our own.

/** Single values, the last of duplicates. Absent, not empty, when there is none. */
type Values = Readonly<Record<string, string | undefined>>;
type MultiValues = Readonly<Record<string, readonly string[] | undefined>>;

/** The part all three socket events share. Times are epoch milliseconds. */
export interface SocketRequestContext<RouteKey extends string, EventType extends string> {
  readonly routeKey: RouteKey;
  readonly eventType: EventType;
  readonly extendedRequestId: string;
  /** The same value as `extendedRequestId`. */
  readonly requestId: string;
  /** Common log format. */
  readonly requestTime: string;
  readonly requestTimeEpoch: number;
  readonly messageDirection: "IN";
  readonly stage: string;
  readonly connectedAt: number;
  readonly identity: { readonly userAgent?: string; readonly sourceIp: string };
  readonly domainName: string;
  readonly apiId: string;
  /** API Gateway's id of the socket: for us a transport id, never "the connection id". */
  readonly connectionId: string;
}

/** `$connect`: the only event with the client's headers and query. Header names keep the client's case. */
export interface ConnectEvent {
  readonly headers: Values;
  readonly multiValueHeaders: MultiValues;
  readonly queryStringParameters?: Values;
  readonly multiValueQueryStringParameters?: MultiValues;
  readonly requestContext: SocketRequestContext<"$connect", "CONNECT">;
  readonly isBase64Encoded: false;
  readonly stageVariables?: Values;
}

/** `$default`: one whole message; no headers, no query. */
export interface MessageEvent {
  readonly requestContext: SocketRequestContext<"$default", "MESSAGE"> & { readonly messageId: string };
  readonly body: string;
  readonly isBase64Encoded: false;
  readonly stageVariables?: Values;
}

/** `$disconnect`: best effort, at most once. */
export interface DisconnectEvent {
  readonly headers: Values;
  readonly multiValueHeaders: MultiValues;
  readonly requestContext: SocketRequestContext<"$disconnect", "DISCONNECT"> & {
    readonly disconnectStatusCode?: number;
    readonly disconnectReason?: string;
  };
  readonly isBase64Encoded: false;
  readonly stageVariables?: Values;
}

/** What a socket route's function answers. A refused `$connect` gives its status to the upgrade request. */
export interface SocketResult {
  readonly statusCode: number;
}

/** HTTP API and function URL, payload format 2.0. Header names are lower case; duplicates are joined by commas. */
export interface HttpEvent {
  readonly version: "2.0";
  readonly routeKey: string;
  readonly rawPath: string;
  readonly rawQueryString: string;
  readonly cookies?: readonly string[];
  readonly headers: Values;
  readonly queryStringParameters?: Values;
  readonly requestContext: {
    readonly accountId: string;
    readonly apiId: string;
    readonly domainName: string;
    readonly domainPrefix: string;
    readonly http: {
      readonly method: string;
      readonly path: string;
      readonly protocol: string;
      readonly sourceIp: string;
      readonly userAgent: string;
    };
    readonly requestId: string;
    readonly routeKey: string;
    readonly stage: string;
    readonly time: string;
    readonly timeEpoch: number;
  };
  readonly body?: string;
  readonly isBase64Encoded: boolean;
}

export interface HttpResult {
  readonly statusCode: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whether `body` is base64 of what the client is to get. @default false */
  readonly isBase64Encoded?: boolean;
}

/** A response that is written piece by piece. A client that goes away is not told of: what is written then vanishes. */
export interface StreamedResponse {
  /** Status and headers; once, before anything is written. */
  begin(status: number, headers: Readonly<Record<string, string>>): void;
  /** Resolves when the piece was taken: a slow reader holds it back. */
  write(text: string): Promise<void>;
  /** Breaks it off when a piece is not taken yet. */
  end(): void;
}

/** EventBridge Scheduler. */
export interface ScheduledEvent {
  readonly source: "aws.scheduler";
}

/** The part of Lambda's context object that is used. */
export interface FunctionContext {
  readonly awsRequestId: string;
  /** Milliseconds until Lambda ends this invocation. */
  getRemainingTimeInMillis(): number;
}
