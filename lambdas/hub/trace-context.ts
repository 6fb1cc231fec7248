// Which trace a message belongs to, as its client says in the message's headers.
// https://www.w3.org/TR/trace-context/

export interface TraceContext {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** The client's span, which is the parent of what is done here: 16 hexadecimal digits. */
  readonly spanId: string;
  /** Whether the client records its trace. */
  readonly isSampled: boolean;
  /** Both headers as they came, to be passed on. */
  readonly traceparent: string;
  /** Undefined when there is none, or one that is too long to be one. */
  readonly tracestate: string | undefined;
}

const TRACEPARENT = /^([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;
const ZEROS = /^0+$/;
/** Characters. */
const MOST = 512;

/** Undefined without a `traceparent`, and for one that the standard refuses. */
export function traceContextOf(headers: Readonly<Record<string, string>> | undefined): TraceContext | undefined {
  const traceparent = header(headers, "traceparent");
  if (traceparent === undefined) return undefined;
  const [, version, traceId = "", spanId = "", flags = "", rest] = TRACEPARENT.exec(traceparent) ?? [];
  if (version === undefined || version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (ZEROS.test(traceId) || ZEROS.test(spanId)) return undefined;
  const isSampled = (Number.parseInt(flags, 16) & 1) === 1;
  return { traceId, spanId, isSampled, traceparent, tracestate: header(headers, "tracestate") };
}

/** Printable ASCII, and not too long. */
function header(headers: Readonly<Record<string, string>> | undefined, name: string): string | undefined {
  const value = headers !== undefined && Object.hasOwn(headers, name) ? headers[name] : undefined;
  return value !== undefined && value.length <= MOST && /^[ -~]+$/.test(value) ? value : undefined;
}
