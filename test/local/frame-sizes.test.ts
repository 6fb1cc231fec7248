import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameSizes } from "../../lambdas/local/frame-sizes.ts";

const LIMIT = 32 * 1024;

interface Frame {
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: number;
}

const text = (payload: number): Frame => ({ opcode: 1, final: true, payload });
const start = (payload: number): Frame => ({ opcode: 1, final: false, payload });
const more = (payload: number): Frame => ({ opcode: 0, final: false, payload });
const end = (payload: number): Frame => ({ opcode: 0, final: true, payload });
const ping: Frame = { opcode: 9, final: true, payload: 125 };

/** A masked frame, as clients send them (RFC 6455, 5.2). */
function encode({ opcode, final, payload }: Frame): Buffer {
  const first = (final ? 0x80 : 0) | opcode;
  let header: Buffer;
  if (payload < 126) header = Buffer.from([first, 0x80 | payload]);
  else if (payload < 65_536) {
    header = Buffer.from([first, 0x80 | 126, 0, 0]);
    header.writeUInt16BE(payload, 2);
  } else {
    header = Buffer.from([first, 0x80 | 127, 0, 0, 0, 0, 0, 0, 0, 0]);
    header.writeBigUInt64BE(BigInt(payload), 2);
  }
  return Buffer.concat([header, Buffer.from([1, 2, 3, 4]), Buffer.alloc(payload, 0xff)]);
}

describe("FrameSizes", () => {
  it.each<{ name: string; frames: Frame[]; before: number }>([
    { name: "an empty message", frames: [text(0)], before: Infinity },
    { name: "a frame of exactly the limit", frames: [text(LIMIT)], before: Infinity },
    { name: "a frame of one byte more", frames: [text(LIMIT + 1)], before: 0 },
    { name: "a frame with a length of 64 bits", frames: [text(70_000)], before: 0 },
    {
      name: "a message of four frames of the limit",
      frames: [start(LIMIT), more(LIMIT), more(LIMIT), end(LIMIT)],
      before: Infinity,
    },
    { name: "a continuation over the limit", frames: [text(3), start(5), end(LIMIT + 1)], before: 1 },
    { name: "whole messages in front of it", frames: [text(1), ping, start(2), end(3), text(LIMIT + 1)], before: 2 },
    { name: "a second frame over the limit", frames: [text(LIMIT + 1), text(1), text(LIMIT + 1)], before: 0 },
  ])("finds the frame over the limit, in whatever chunks it comes: $name", ({ frames, before }) => {
    const bytes = Buffer.concat(frames.map(encode));
    const cuts = fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 12 });
    fc.assert(
      fc.property(cuts, (unsorted) => {
        const sizes = new FrameSizes(LIMIT);
        const edges = [0, ...unsorted.sort((a, b) => a - b), bytes.length];
        for (const [index, edge] of edges.entries()) sizes.read(bytes.subarray(edge, edges[index + 1]));
        expect(sizes.messagesBeforeViolation).toBe(before);
      }),
      { numRuns: 50 },
    );
  });

  it("reads headers that come byte by byte", () => {
    const sizes = new FrameSizes(LIMIT);
    for (const byte of encode(text(65_536)).subarray(0, 14)) {
      expect(sizes.violated).toBe(false);
      sizes.read(Buffer.from([byte]));
    }
    expect(sizes.violated).toBe(true);
  });
});
