// Structs of other writers, read so that they can be written again: `unpack` gives small integers as numbers,
// which `pack` takes for floats. Here an integer is a bigint, however it was written.
import { decodeTimestampExtension, EXT_TIMESTAMP } from "@msgpack/msgpack";
import { maxDepth, type Packed, tag, tagOfNumber } from "./msgpack.ts";

/** Null for what `pack` could not write as it was: keys that are no text, extensions of others, bytes that are no msgpack. */
export function unpackExact(bytes: Uint8Array): Packed | null {
  try {
    return whole(bytes, 0);
  } catch (error) {
    if (error instanceof NotExact || error instanceof RangeError) return null;
    throw error;
  }
}

/** Never leaves this file. */
class NotExact extends Error {}

function whole(bytes: Uint8Array, depth: number): Packed {
  const reader = new Reader(bytes);
  const value = reader.value(depth);
  if (!reader.isAtEnd) throw new NotExact();
  return value;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.#position === this.#bytes.length;
  }

  value(depth: number): Packed {
    if (depth > 2 * maxDepth) throw new NotExact();
    const head = this.#unsigned(1);
    if (head < 0x80) return BigInt(head);
    if (head >= 0xe0) return BigInt(head - 0x100);
    if (head < 0x90) return this.#record(head & 0x0f, depth);
    if (head < 0xa0) return this.#list(head & 0x0f, depth);
    if (head < 0xc0) return this.#text(head & 0x1f);
    return head >= 0xd4 && head <= 0xd8 ? this.#extension(1 << (head - 0xd4), depth) : this.#sized(head, depth);
  }

  /** The formats whose length or value follows their head. */
  #sized(head: number, depth: number): Packed {
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
      case 0xc5:
      case 0xc6:
        return this.#take(this.#unsigned(1 << (head - 0xc4))).slice();
      case 0xc7:
      case 0xc8:
      case 0xc9:
        return this.#extension(this.#unsigned(1 << (head - 0xc7)), depth);
      case 0xca:
        return this.#view.getFloat32(this.#advance(4));
      case 0xcb:
        return this.#view.getFloat64(this.#advance(8));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return BigInt(this.#unsigned(1 << (head - 0xcc)));
      case 0xcf:
        return this.#int64(this.#view.getBigUint64(this.#advance(8)));
      case 0xd0:
        return BigInt(this.#view.getInt8(this.#advance(1)));
      case 0xd1:
        return BigInt(this.#view.getInt16(this.#advance(2)));
      case 0xd2:
        return BigInt(this.#view.getInt32(this.#advance(4)));
      case 0xd3:
        return this.#view.getBigInt64(this.#advance(8));
      case 0xd9:
      case 0xda:
      case 0xdb:
        return this.#text(this.#unsigned(1 << (head - 0xd9)));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#unsigned(2 << (head - 0xdc)), depth);
      case 0xde:
      case 0xdf:
        return this.#record(this.#unsigned(2 << (head - 0xde)), depth);
      default:
        throw new NotExact();
    }
  }

  #advance(size: number): number {
    const position = this.#position;
    if (position + size > this.#bytes.length) throw new NotExact();
    this.#position += size;
    return position;
  }

  #unsigned(size: number): number {
    const position = this.#advance(size);
    if (size === 1) return this.#view.getUint8(position);
    return size === 2 ? this.#view.getUint16(position) : this.#view.getUint32(position);
  }

  /** `pack` writes 64 bits with a sign. */
  #int64(value: bigint): bigint {
    if (value >= 2n ** 63n) throw new NotExact();
    return value;
  }

  #take(size: number): Uint8Array {
    const position = this.#advance(size);
    return this.#bytes.subarray(position, position + size);
  }

  #text(size: number): string {
    try {
      return utf8.decode(this.#take(size));
    } catch {
      throw new NotExact();
    }
  }

  #list(length: number, depth: number): Packed {
    const items: Packed[] = [];
    for (let index = 0; index < length; index++) items.push(this.value(depth + 1));
    return items;
  }

  #record(length: number, depth: number): Packed {
    const entries: [string, Packed][] = [];
    for (let index = 0; index < length; index++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string" || key === "__proto__") throw new NotExact();
      entries.push([key, this.value(depth + 1)]);
    }
    return Object.fromEntries(entries);
  }

  #extension(size: number, depth: number): Packed {
    const number = this.#view.getInt8(this.#advance(1));
    const bytes = this.#take(size);
    if (number === EXT_TIMESTAMP) return decodeTimestampExtension(bytes);
    const name = tagOfNumber(number);
    if (name === null) throw new NotExact();
    return tag(name, whole(bytes, depth + 1));
  }
}
