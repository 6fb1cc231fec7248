/**
 * Longer than a function may run, and than a goodbye and `onDisconnected` take together: whoever lets it lapse is dead,
 * or has only deleting left to do, which may be done twice. Milliseconds.
 */
export const LEASE = 35_000;
/** Longest run of user code in one function. Milliseconds. */
export const RUN_LIMIT = 25_000;
