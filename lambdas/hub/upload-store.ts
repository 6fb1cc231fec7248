// The state port, continued: what clients stream to methods, until the method has read it.

export interface NewUploadItem {
  /** Its own among those that wait, short and without '#': the same item put twice, as by a retry of the SDK, is one. */
  readonly nonce: string;
  /** When the gateway received it: epoch milliseconds. */
  readonly receivedAt: number;
  readonly json: string;
}

export interface UploadItem extends Pick<NewUploadItem, "receivedAt" | "json"> {
  /** Sorts by receive time, then in the order in which items were let in. */
  readonly key: string;
}

export interface UploadEnd {
  readonly receivedAt: number;
  /** The client's, or why nothing more is taken. */
  readonly error: string | undefined;
}

export interface UploadState {
  /** Items that were let in. */
  readonly received: number;
  readonly end: UploadEnd | undefined;
}

/**
 * A stream is there from its first item, its end or its invocation on, whichever comes first, while its connection
 * lives.
 */
export interface UploadStore {
  /** Its invocation has come. `taken` when it is another's. */
  openUpload(
    connectionId: string,
    streamId: string,
    nonce: string,
    expiresAt: number,
  ): Promise<"opened" | "taken" | "ended">;
  /**
   * Lets an item in while fewer than `capacity` wait, and puts it where the worker finds it. `over` when it came after
   * the end, nobody reads any more, or the connection has ended.
   */
  putItem(
    connectionId: string,
    streamId: string,
    item: NewUploadItem,
    capacity: number,
  ): Promise<"put" | "full" | "over">;
  /** Behind it nothing more is let in. The first end counts. */
  endUpload(connectionId: string, streamId: string, end: UploadEnd): Promise<void>;
  upload(connectionId: string, streamId: string): Promise<UploadState | undefined>;
  /** What waits, in order, read consistently. */
  uploadItems(connectionId: string, streamId: string): Promise<readonly UploadItem[]>;
  /** Removes items that were read, and makes room. */
  dropItems(connectionId: string, streamId: string, keys: readonly string[]): Promise<void>;
  /** Nobody reads any more: removes what waits, and keeps a note that later items are to be dropped. */
  closeUpload(connectionId: string, streamId: string): Promise<void>;
}

/** The key of the item that is `place`-th in its stream. */
export function uploadItemKey({ receivedAt, nonce }: NewUploadItem, place: number): string {
  return `${String(receivedAt).padStart(15, "0")}#${String(place).padStart(9, "0")}#${nonce}`;
}

/** The nonce of the item with that key. */
export function uploadItemNonce(key: string): string {
  return key.slice(key.lastIndexOf("#") + 1);
}
