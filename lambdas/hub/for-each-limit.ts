/**
 * Runs `action` for every item, at most `limit` at a time. Settles when all have; then throws the first error, so
 * that one failing item never keeps the others from their turn.
 */
export async function forEachLimit<Item>(
  items: readonly Item[],
  limit: number,
  action: (item: Item) => Promise<unknown>,
): Promise<void> {
  const queue = items.values();
  const errors: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const item of queue) await action(item).catch((error) => errors.push(error));
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  if (errors.length > 0) throw errors[0];
}
