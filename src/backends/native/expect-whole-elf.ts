import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { BackendError } from "../../util/errors.js";

/**
 * Refuses an ELF file that has been cut short: the dynamic linker maps what the headers promise without a look at the file's length, and the first
 * touch of a page past its end kills the process. What is no 64-bit little-endian ELF file at all is left to the linker, which refuses it.
 *
 * Fields as in the ELF-64 object file format, version 1.5: the file header holds the offset, entry size and count of the program headers at 32, 54 and
 * 56, of the section headers at 40, 58 and 60; a program header the offset and size of its segment in the file at 8 and 32.
 *
 * @throws BackendError if the file is shorter than its headers say
 */
export function expectWholeElf(path: string): void {
  const file = openSync(path, "r");
  try {
    const { size } = fstatSync(file);
    const header = readAt(file, 0, 64);
    if (header.length >= 6 && !(header.readUInt32BE(0) === 0x7f454c46 && header[4] === 2 && header[5] === 1)) return;
    expectSize(size, 64);
    const programs = { offset: offsetAt(header, 32), entry: header.readUInt16LE(54), count: header.readUInt16LE(56) };
    expectSize(size, programs.offset + programs.entry * programs.count);
    expectSize(size, offsetAt(header, 40) + header.readUInt16LE(58) * header.readUInt16LE(60));
    const table = readAt(file, programs.offset, programs.entry * programs.count);
    for (let at = 0; at < table.length; at += programs.entry) {
      expectSize(size, offsetAt(table, at + 8) + offsetAt(table, at + 32));
    }
  } finally {
    closeSync(file);
  }
}

function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, position));
}

function offsetAt(bytes: Buffer, at: number): number {
  return Number(bytes.readBigUInt64LE(at));
}

function expectSize(size: number, least: number): void {
  if (size < least) throw new BackendError(`Expected at least ${least} bytes by its headers but the file has ${size}`);
}
