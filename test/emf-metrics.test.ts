import { expect, it, onTestFinished, vi } from "vitest";
import { emfMetrics } from "../lambdas/emf-metrics.ts";

const clock = { now: () => 1_700_000_000_000 };

it("writes what CloudWatch reads as metrics: one JSON object in a line", () => {
  const lines: string[] = [];
  const metrics = emfMetrics("Stack/Realtime", clock, (line) => lines.push(line));
  metrics.record({ "signalr.server.invocation.duration": 12, "signalr.server.errors": 0 }, { hub: "chat" });
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines.join())).toEqual({
    _aws: {
      Timestamp: 1_700_000_000_000,
      CloudWatchMetrics: [
        {
          Namespace: "SignalR",
          Dimensions: [["service", "hub"]],
          Metrics: [
            { Name: "signalr.server.invocation.duration", Unit: "Milliseconds" },
            { Name: "signalr.server.errors", Unit: "Count" },
          ],
        },
      ],
    },
    service: "Stack/Realtime",
    hub: "chat",
    "signalr.server.invocation.duration": 12,
    "signalr.server.errors": 0,
  });
});

it("writes to standard output, where the runtime adds nothing to a line", () => {
  const write = vi.spyOn(process.stdout, "write").mockReturnValue(true);
  onTestFinished(() => write.mockRestore());
  emfMetrics("s", clock).record({ "signalr.server.messages.sent": 3 }, { hub: "chat" });
  expect(write.mock.calls).toEqual([[expect.stringMatching(/^\{"_aws":.*\}\n$/)]]);
});
