// One module serves engines with one thread and with several: what differs is whether the memory that it imports is declared as shared, a bit.
// In JavaScript, since the build of the modules uses it too (wasm/unshare.js).

const IMPORT_SECTION = 2;
const MEMORY = 2;
const HAS_MAXIMUM = 1;
const SHARED = 2;

/**
 * A WebAssembly module whose first import is a memory with a maximum, with that memory declared as shared or not. (Binary format:
 * https://webassembly.github.io/spec/core/binary/modules.html#import-section; the flag is of the threads proposal.)
 *
 * @param {Uint8Array} module its bytes, which stay as they are
 * @param {boolean} shared
 * @returns {Uint8Array<ArrayBuffer>} a copy
 * @throws {RangeError} if it is not such a module
 */
export function withMemoryShared(module, shared) {
  const copy = new Uint8Array(module);
  const at = memoryFlags(copy);
  copy[at] = shared ? copy[at] | SHARED : copy[at] & ~SHARED;
  return copy;
}

/** @param {Uint8Array} bytes */
function memoryFlags(bytes) {
  let at = 0;
  const byte = () => {
    if (at >= bytes.length) throw new RangeError("Expected a WebAssembly module but received its beginning only");
    return bytes[at++];
  };
  // LEB128.
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const next = byte();
      value += (next & 0x7f) * 2 ** shift;
      if (next < 0x80) return value;
    }
  };
  const expect = (condition, what) => {
    if (!condition) throw new RangeError(`Expected a WebAssembly module ${what}`);
  };
  expect(
    [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0].every((expected) => byte() === expected),
    "of version 1",
  );
  for (let id = byte(); id !== IMPORT_SECTION; id = byte()) {
    const length = number();
    at += length;
  }
  number(); // the section's length
  expect(number() > 0, "that imports something");
  for (let name = 0; name < 2; name++) {
    const length = number();
    at += length;
  }
  expect(byte() === MEMORY, "whose first import is a memory");
  const flags = at;
  expect((byte() & HAS_MAXIMUM) !== 0, "whose memory has a maximum");
  return flags;
}
