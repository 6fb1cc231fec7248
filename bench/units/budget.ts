/** A measured figure and the most it may be; without a budget, anything. */
export function isOver(measured: number | undefined, budget: number | undefined): boolean {
  return measured !== undefined && budget !== undefined && measured > budget;
}
