import { FormatError } from "../../util/errors.js";

/** Reads a file's bytes in order. Every read is inside the bytes, or a `FormatError`. */
export class ByteReader {
  readonly #view: DataView;

  /**
   * @param bytes of the whole file, or of an entry of an archive
   * @param source what to call them in errors
   */
  constructor(
    readonly bytes: Uint8Array,
    readonly source: string,
    public position = 0,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(message: string): never {
    throw new FormatError(this.source, message);
  }

  /** The next `count` bytes: a view, not a copy. */
  take(count: number, what: string): Uint8Array {
    const start = this.#advance(count, what);
    return this.bytes.subarray(start, start + count);
  }

  u8(what: string): number {
    return this.#view.getUint8(this.#advance(1, what));
  }

  u16(what: string): number {
    return this.#view.getUint16(this.#advance(2, what), true);
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#advance(4, what), true);
  }

  i32(what: string): number {
    return this.#view.getInt32(this.#advance(4, what), true);
  }

  /** A 64-bit count; one that no file can reach is as good as any other, since `take` refuses it. */
  u64(what: string): number {
    return Number(this.#view.getBigUint64(this.#advance(8, what), true));
  }

  /** A float64 of the big-endian kind that pickles hold. */
  f64BigEndian(what: string): number {
    return this.#view.getFloat64(this.#advance(8, what), false);
  }

  /** UTF-8 text. */
  text(bytes: Uint8Array): string {
    try {
      return UTF8.decode(bytes);
    } catch {
      return this.fail(`Expected UTF-8 text at byte ${this.position - bytes.length} but received other bytes`);
    }
  }

  /** Text up to a line feed. */
  line(what: string): string {
    const end = this.bytes.subarray(this.position, this.position + MAX_LINE).indexOf(0x0a);
    if (end < 0) this.fail(`Expected ${what} of less than ${MAX_LINE} bytes at byte ${this.position} but found no end`);
    const text = this.text(this.take(end, what));
    this.position++;
    return text;
  }

  #advance(count: number, what: string): number {
    const start = this.position;
    const left = this.bytes.length - start;
    if (count > left)
      this.fail(`Expected ${what} of ${count} bytes at byte ${start} but only ${left} are left: it is truncated`);
    this.position += count;
    return start;
  }
}

/** Names of modules and classes are far shorter. */
const MAX_LINE = 1024;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
