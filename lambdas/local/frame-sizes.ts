/**
 * Finds frames over a limit in the bytes a WebSocket client sends.
 *
 * `ws` joins the frames of a message and tells only the message's size, but API Gateway limits both: 32 KB a frame,
 * 128 KB a message. So this reads the same bytes beside `ws`, headers only, and says after how many whole messages a
 * frame was too large. Frames that `ws` takes for malformed are left to it.
 */
export class FrameSizes {
  /** Messages that ended before the first frame over the limit: those still count. Infinity while there is none. */
  messagesBeforeViolation = Number.POSITIVE_INFINITY;

  readonly #limit: number;
  #header: number[] = [];
  #payloadLeft = 0;
  #wholeMessages = 0;

  /** `limit`: bytes of payload. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get violated(): boolean {
    return this.messagesBeforeViolation !== Number.POSITIVE_INFINITY;
  }

  read(chunk: Uint8Array): void {
    let offset = 0;
    while (offset < chunk.length && !this.violated) {
      if (this.#payloadLeft > 0) {
        const skipped = Math.min(this.#payloadLeft, chunk.length - offset);
        this.#payloadLeft -= skipped;
        offset += skipped;
        continue;
      }
      this.#header.push(chunk[offset] as number);
      offset += 1;
      if (this.#header.length === headerLength(this.#header)) this.#endOfHeader();
    }
  }

  #endOfHeader(): void {
    const [first = 0] = this.#header;
    const payload = payloadLength(this.#header);
    const isData = (first & 0x0f) < 0x08;
    this.#header = [];
    this.#payloadLeft = payload;
    if (isData && payload > this.#limit) this.messagesBeforeViolation = this.#wholeMessages;
    else if (isData && (first & 0x80) !== 0) this.#wholeMessages += 1;
  }
}

/** RFC 6455, 5.2: two bytes, then 0, 2 or 8 bytes of length, then 4 of mask. */
function headerLength([, second]: readonly number[]): number {
  if (second === undefined) return 2;
  const mask = (second & 0x80) === 0 ? 0 : 4;
  const length = second & 0x7f;
  return 2 + (length === 127 ? 8 : length === 126 ? 2 : 0) + mask;
}

function payloadLength(header: readonly number[]): number {
  const length = (header[1] as number) & 0x7f;
  if (length < 126) return length;
  return header.slice(2, length === 126 ? 4 : 10).reduce((value, byte) => value * 256 + byte, 0);
}
