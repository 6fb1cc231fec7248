// The section "bundles": how large the functions are, and how long they take to load.

import { readFile, rm } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { median } from "../median.ts";
import { figure, table } from "../table.ts";
import { buildBundles, FUNCTIONS } from "./build.ts";
import { importTime } from "./import-time.ts";

const ROUNDS = 15;

interface Measured {
  readonly bytes: number;
  readonly gzipped: number;
  readonly milliseconds: number;
}

export async function bundles(): Promise<string> {
  const { folder, files } = await buildBundles();
  try {
    const measured = await measure(files);
    const rows = Object.entries(FUNCTIONS).map(([name, bare]) =>
      row(name, measured.get(name), bare, measured.get(bare)),
    );
    return [
      `Import times are medians of ${ROUNDS} fresh processes each, all bundles in turn.`,
      "",
      table(["function", "bytes", "gzip", "import ms", "bare function with", "bytes", "import ms", "ratio"], rows),
    ].join("\n");
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measure(files: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, Measured>> {
  const times = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, file] of files) times.set(name, [...(times.get(name) ?? []), await importTime(file)]);
  }
  const measured = [...files].map(async ([name, file]) => {
    const code = await readFile(file);
    const milliseconds = median(times.get(name) ?? []);
    return [name, { bytes: code.length, gzipped: gzipSync(code).length, milliseconds }] as const;
  });
  return new Map(await Promise.all(measured));
}

function row(name: string, own: Measured | undefined, bareName: string, bare: Measured | undefined): string[] {
  if (own === undefined || bare === undefined) throw new Error(`${name} or ${bareName} was not built.`);
  return [
    name,
    figure(own.bytes),
    figure(own.gzipped),
    figure(own.milliseconds),
    bareName,
    figure(bare.bytes),
    figure(bare.milliseconds),
    (own.milliseconds / bare.milliseconds).toFixed(2),
  ];
}
