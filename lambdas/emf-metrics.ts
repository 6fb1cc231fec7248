// Metrics as lines of the log, which CloudWatch turns into metrics by itself: the embedded metric format. It is one JSON
// object, so there is no package for it here that every cold start would load.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html

import type { Clock, MetricName, Metrics } from "./hub/index.ts";

const NAMESPACE = "SignalR";

const UNITS: Readonly<Partial<Record<MetricName, string>>> = { "signalr.server.invocation.duration": "Milliseconds" };

/**
 * Writes a line for each record.
 *
 * @param service tells the service from others of the account: a dimension of every metric.
 * @param write takes one line without its line break. @default standard output, past the runtime's `console`, which would
 * put its own words before the JSON
 */
export function emfMetrics(
  service: string,
  clock: Pick<Clock, "now">,
  write: (line: string) => void = (line) => void process.stdout.write(`${line}\n`),
): Metrics {
  return {
    record(values, given) {
      const dimensions = { service, ...given };
      const metrics = Object.keys(values).map((name) => ({ Name: name, Unit: UNITS[name as MetricName] ?? "Count" }));
      const directive = { Namespace: NAMESPACE, Dimensions: [Object.keys(dimensions)], Metrics: metrics };
      const _aws = { Timestamp: clock.now(), CloudWatchMetrics: [directive] };
      write(JSON.stringify({ _aws, ...dimensions, ...values }));
    },
  };
}
