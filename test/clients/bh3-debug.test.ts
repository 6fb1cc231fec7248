import { it, vi } from "vitest";
import { recordedHub } from "./recorded-hub.ts";
import { VirtualTime } from "./virtual-time.ts";

it("x", async () => {
  const hub = recordedHub();
  const time = await VirtualTime.serve({ hubs: hub.hubs });
  const { service, network } = time;
  const connection = service.track(service.build(`/chat`, network.options).withStatefulReconnect().build());
  await time.until(connection.start());
  let n = 0;
  const orig = vi.advanceTimersToNextTimer.bind(vi);
  (vi as any).advanceTimersToNextTimer = () => {
    n++;
    return orig();
  };
  let q = 0;
  service.server.table.client.middlewareStack.add(
    (next) => (a) => {
      q++;
      return next(a);
    },
    { step: "initialize" },
  );
  let imm = 0;
  const si = globalThis.setImmediate;
  (globalThis as any).setImmediate = (...a: any[]) => {
    imm++;
    return (si as any)(...a);
  };
  const t = performance.now();
  const c = process.cpuUsage();
  await time.pass(300_000);
  const u = process.cpuUsage(c);
  globalThis.setImmediate = si;
  console.log("RESULT", { n, q, imm, ms: performance.now() - t, cpu: (u.user + u.system) / 1000 });
}, 60000);
