// `npm run bench [units] [overhead] [lifetime] [throughput] [transports] [bundles]`: figures that anyone can reproduce, as Markdown. All without a name.

import { availableParallelism, cpus } from "node:os";
import { bundles } from "./bundles/index.ts";
import { lifetime } from "./lifetime/index.ts";
import { overhead } from "./overhead/index.ts";
import { throughput } from "./throughput/index.ts";
import { transports } from "./transports/index.ts";
import { units } from "./units/index.ts";

// Also for the processes that are started from here.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

const SECTIONS: Readonly<Record<string, () => Promise<string>>> = {
  units,
  overhead,
  lifetime,
  throughput,
  transports,
  bundles,
};

const names = process.argv.slice(2);
const unknown = names.find((name) => !Object.hasOwn(SECTIONS, name));
if (unknown !== undefined) {
  console.error(`There is no section '${unknown}'. Usage: npm run bench [${Object.keys(SECTIONS).join("] [")}]`);
  process.exit(1);
}

console.log(`${cpus()[0]?.model ?? "unknown CPU"}, ${availableParallelism()} cores, Node ${process.versions.node}`);
for (const [name, section] of Object.entries(SECTIONS)) {
  if (names.length > 0 && !names.includes(name)) continue;
  console.log(`\n### ${name}\n\n${await section()}`);
}
