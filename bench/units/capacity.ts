// From bytes to what DynamoDB bills: request units.
// https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html

/**
 * One item written: by its size before or after, whichever is larger, in KB. Deleting what is not there is one unit, and
 * so is a refused condition; if the item it would have replaced or written is larger, that counts.
 */
export function writeUnits(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / 1024));
}

/**
 * One request that reads, in 4 KB: an item, or all the items of a query's page together, also those that its filter
 * leaves out. Reading what is not there is one unit. An eventually consistent read is half.
 */
export function readUnits(bytes: number, consistent: boolean): number {
  return Math.max(1, Math.ceil(bytes / 4096)) * (consistent ? 1 : 0.5);
}
