import type { ByteReader } from "./byte-reader.js";
import { STEPS, STOP, UNSUPPORTED } from "./opcodes.js";
import { Machine, type Persistent } from "./pickle-machine.js";
import type { PickleValue } from "./values.js";

/**
 * Reads one pickle, a program for a small stack machine (https://github.com/python/cpython/blob/main/Lib/pickletools.py), of protocols 2 to 5.
 *
 * Nothing of it is executed in Python's sense: names of modules are looked up in a fixed table of our own (`globals.ts`), a name that is not in it ends the
 * reading, and what is "called" are functions of this package that build plain values. The machine makes at most `MAX_STEPS` steps, each of which makes at
 * most one object, besides views of the file's bytes; what takes longer than a step is charged for (`spend`). It does not recurse, so nesting cannot
 * exhaust the stack.
 *
 * @param reader stands at the pickle's first byte, and afterwards behind its last
 * @throws FormatError if the bytes are no such pickle, or refer to anything else
 */
export function readPickle(reader: ByteReader, persistent?: Persistent): PickleValue {
  const machine = new Machine(reader, persistent);
  for (;;) {
    machine.spend(1);
    const at = reader.position;
    const code = reader.u8("the next opcode of the pickle");
    if (code === STOP) return machine.end();
    const step = STEPS.get(code);
    if (step === undefined) {
      const name = UNSUPPORTED.get(code) ?? `0x${code.toString(16).padStart(2, "0")}`;
      reader.fail(`Expected an opcode of tensors and plain values but received ${name} at byte ${at}`);
    }
    step(machine, reader);
  }
}
