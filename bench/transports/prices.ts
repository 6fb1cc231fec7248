// AWS's list prices of us-east-1, those of "What it costs" in docs/operations.md.
// https://aws.amazon.com/api-gateway/pricing/ https://aws.amazon.com/lambda/pricing/
// https://aws.amazon.com/dynamodb/pricing/on-demand/

/** Dollars for one. */
const PRICES = {
  /** Of a socket, either way, up to 32 KB. */
  message: 1e-6,
  connectionMinute: 0.25e-6,
  httpRequest: 1e-6,
  functionCall: 0.2e-6,
  /** On arm64. */
  gigabyteSecond: 0.0000133334,
  writeUnit: 0.625e-6,
  readUnit: 0.125e-6,
} as const;

/** How much of what AWS meters. CloudFront's requests and transfer, and logs, are left out. */
export type Usage = { readonly [What in keyof typeof PRICES]?: number };

/** Dollars. */
export function cost(usage: Usage): number {
  return costsOf(usage).reduce((sum, [, dollars]) => sum + dollars, 0);
}

/** Dollars, of each that there is any of. */
export function costsOf(usage: Usage): (readonly [what: keyof Usage, dollars: number])[] {
  return (Object.keys(PRICES) as (keyof Usage)[]).flatMap((what) =>
    usage[what] === undefined ? [] : [[what, usage[what] * PRICES[what]] as const],
  );
}

export function plus(...usages: readonly Usage[]): Usage {
  const sum: Partial<Record<keyof Usage, number>> = {};
  for (const usage of usages) {
    for (const what of Object.keys(usage) as (keyof Usage)[]) sum[what] = (sum[what] ?? 0) + (usage[what] ?? 0);
  }
  return sum;
}

export function times(count: number, usage: Usage): Usage {
  return Object.fromEntries(Object.entries(usage).map(([what, much]) => [what, much * count]));
}
