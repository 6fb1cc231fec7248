// What a service tells of its work: a line of the log for each invocation, connect and disconnect, and counts. Never
// arguments, results, tokens, or a user.

import type { EndReason, TransportState } from "./connection-state.ts";
import type { HubEntry } from "./define-service.ts";
import type { Clock, Log, MetricName, Metrics } from "./ports.ts";
import { TimeLimitError } from "./run-limited.ts";
import { type TraceContext, traceContextOf } from "./trace-context.ts";

export interface TelemetryPorts {
  readonly log: Log;
  readonly clock: Clock;
  /** @default nothing is counted */
  readonly metrics?: Metrics;
}

/** `refused`: the client's mistake, or an error that the author means it to read. */
export type InvocationOutcome = "completed" | "refused" | "failed" | "timed out";

export interface InvocationTelemetry {
  readonly trace: TraceContext | undefined;
  /** To be called once, when the client has its answer. */
  end(outcome: InvocationOutcome): void;
}

interface Invoked {
  /** Undefined when the hub has no such method. */
  readonly method: string | undefined;
  /** What the client called it. */
  readonly target: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Characters of a name that is the client's invention. */
const LONGEST_NAME = 100;

export function startInvocation(
  { log, clock, metrics }: TelemetryPorts,
  { hub, state }: { readonly hub: HubEntry; readonly state: Pick<TransportState, "connectionId"> },
  { target, headers, method = target.slice(0, LONGEST_NAME) }: Invoked,
): InvocationTelemetry {
  const startedAt = clock.now();
  const trace = traceContextOf(headers);
  return {
    trace,
    end(outcome) {
      const duration = clock.now() - startedAt;
      const fields = { hub: hub.path, method, connectionId: state.connectionId, duration, outcome };
      log.info("Invoked a hub method.", { ...fields, ...traceFields(trace) });
      const isError = outcome === "failed" || outcome === "timed out";
      const values = { "signalr.server.invocation.duration": duration, "signalr.server.errors": isError ? 1 : 0 };
      metrics?.record(values, { hub: hub.path });
    },
  };
}

/** @param isExpected whether the client is told this error whatever the hub says of details. */
export function outcomeOf(error: unknown, isExpected: boolean): InvocationOutcome {
  if (error instanceof TimeLimitError) return "timed out";
  return isExpected ? "refused" : "failed";
}

/** What binds a line of the log to its trace. */
export function traceFields(trace: TraceContext | undefined): { readonly traceId?: string; readonly spanId?: string } {
  return trace === undefined ? {} : { traceId: trace.traceId, spanId: trace.spanId };
}

export function noteConnected({ log, metrics }: TelemetryPorts, { hub, connectionId }: TransportState): void {
  log.info("A connection opened.", { hub, connectionId });
  metrics?.record({ "signalr.server.connections.opened": 1 }, { hub });
}

export function noteEnded(
  { log, metrics }: TelemetryPorts,
  { hub, connectionId }: TransportState,
  { code, stopCalled }: EndReason,
): void {
  log.info("A connection ended.", { hub, connectionId, code, stopCalled });
  metrics?.record({ "signalr.server.connections.closed": 1 }, { hub, code });
}

/** Messages of one kind, from clients or to them. */
export function noteMessages(
  { metrics }: Pick<TelemetryPorts, "metrics">,
  hub: string,
  name: Extract<MetricName, `signalr.server.messages.${string}`>,
  count: number,
): void {
  if (count > 0) metrics?.record({ [name]: count }, { hub });
}
