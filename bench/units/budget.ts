/** A measured figure and the most it may be; without a budget, anything. */
export function isOver(measured: number, budget: number | undefined): boolean {
  return budget !== undefined && measured > budget;
}
