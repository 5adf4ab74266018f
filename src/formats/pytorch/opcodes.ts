import type { ByteReader } from "./byte-reader.js";
import type { Machine } from "./pickle-machine.js";
import { Tuple, type Dict } from "./values.js";

/** What an opcode does; its arguments are the bytes that follow. */
type Step = (machine: Machine, reader: ByteReader) => void;

export const STOP = 0x2e;

const text = (count: (reader: ByteReader) => number): Step => {
  return (machine, reader) => machine.push(reader.text(reader.take(count(reader), "text")));
};
const bytes = (count: (reader: ByteReader) => number): Step => {
  return (machine, reader) => machine.push(reader.take(count(reader), "a byte string"));
};
const long = (count: (reader: ByteReader) => number): Step => {
  return (machine, reader) => machine.push(machine.integer(reader.take(count(reader), "an integer")));
};
const tuple = (count: number): Step => {
  return (machine) => machine.push(new Tuple(Array.from({ length: count }, () => machine.pop()).reverse()));
};
const u8 = (reader: ByteReader): number => reader.u8("a length");
const u32 = (reader: ByteReader): number => reader.u32("a length");
const u64 = (reader: ByteReader): number => reader.u64("a length");

/** What each opcode does, by its code; names as in Python's pickletools. */
export const STEPS: ReadonlyMap<number, Step> = new Map<number, Step>([
  [0x80, protocol], // PROTO
  [0x95, (_, reader) => void reader.u64("the length of a frame")], // FRAME
  [0x28, (machine) => machine.mark()], // MARK
  [0x30, (machine) => machine.drop()], // POP
  [0x31, (machine) => void machine.popToMark()], // POP_MARK
  [0x32, (machine) => machine.push(machine.top())], // DUP
  [0x4e, (machine) => machine.push(null)], // NONE
  [0x88, (machine) => machine.push(true)], // NEWTRUE
  [0x89, (machine) => machine.push(false)], // NEWFALSE
  [0x4a, (machine, reader) => machine.push(reader.i32("an integer"))], // BININT
  [0x4b, (machine, reader) => machine.push(reader.u8("an integer"))], // BININT1
  [0x4d, (machine, reader) => machine.push(reader.u16("an integer"))], // BININT2
  [0x8a, long(u8)], // LONG1
  [0x8b, long(u32)], // LONG4
  [0x47, (machine, reader) => machine.push(reader.f64BigEndian("a float"))], // BINFLOAT
  // Texts of Python 2, which PyTorch reads as UTF-8 too.
  [0x55, text(u8)], // SHORT_BINSTRING
  [0x54, text(u32)], // BINSTRING
  [0x8c, text(u8)], // SHORT_BINUNICODE
  [0x58, text(u32)], // BINUNICODE
  [0x8d, text(u64)], // BINUNICODE8
  [0x43, bytes(u8)], // SHORT_BINBYTES
  [0x42, bytes(u32)], // BINBYTES
  [0x8e, bytes(u64)], // BINBYTES8
  [0x96, bytes(u64)], // BYTEARRAY8
  [0x5d, (machine) => machine.push([])], // EMPTY_LIST
  [0x61, append], // APPEND
  [0x65, appends], // APPENDS
  [0x6c, (machine) => machine.push(machine.popToMark())], // LIST
  [0x29, tuple(0)], // EMPTY_TUPLE
  [0x85, tuple(1)], // TUPLE1
  [0x86, tuple(2)], // TUPLE2
  [0x87, tuple(3)], // TUPLE3
  [0x74, (machine) => machine.push(new Tuple(machine.popToMark()))], // TUPLE
  [0x7d, (machine) => machine.push(new Map())], // EMPTY_DICT
  [0x64, dict], // DICT
  [0x73, setItem], // SETITEM
  [0x75, setItems], // SETITEMS
  [0x8f, (machine) => machine.push(new Set())], // EMPTY_SET
  [0x90, addItems], // ADDITEMS
  [0x91, (machine) => machine.push(new Set(machine.popToMark()))], // FROZENSET
  [0x68, (machine, reader) => machine.get(reader.u8("a place in the memo"))], // BINGET
  [0x6a, (machine, reader) => machine.get(reader.u32("a place in the memo"))], // LONG_BINGET
  [0x71, (machine, reader) => machine.put(reader.u8("a place in the memo"))], // BINPUT
  [0x72, (machine, reader) => machine.put(reader.u32("a place in the memo"))], // LONG_BINPUT
  [0x94, (machine) => machine.memoize()], // MEMOIZE
  [0x63, global], // GLOBAL
  [0x69, instance], // INST
  [0x93, (machine) => machine.stackGlobal()], // STACK_GLOBAL
  [0x52, (machine) => machine.reduce()], // REDUCE
  [0x81, (machine) => machine.reduce()], // NEWOBJ: what is known is made by its class and by a call alike.
  [0x62, (machine) => machine.build()], // BUILD
  [0x51, (machine) => machine.persistentId()], // BINPERSID
]);

/** Opcodes to refuse by their names. */
export const UNSUPPORTED: ReadonlyMap<number, string> = new Map([
  [0x6f, "OBJ, which makes an object of any class,"],
  [0x92, "NEWOBJ_EX, which makes an object of any class,"],
  [0x82, "EXT1, an object of a registry,"],
  [0x83, "EXT2, an object of a registry,"],
  [0x84, "EXT4, an object of a registry,"],
  [0x50, "PERSID, a reference in text,"],
  [0x97, "NEXT_BUFFER, data outside the pickle,"],
  [0x98, "READONLY_BUFFER, data outside the pickle,"],
]);

const NEWEST_PROTOCOL = 5;

function protocol(machine: Machine, reader: ByteReader): void {
  const version = reader.u8("the protocol");
  if (version > NEWEST_PROTOCOL)
    machine.fail(`Expected a pickle of protocol ${NEWEST_PROTOCOL} at most but received ${version}`);
}

function global(machine: Machine, reader: ByteReader): void {
  machine.global(reader.line("the name of a module"), reader.line("the name of its member"));
}

/** Makes an object of a class that it names; no plain value is written so. */
function instance(machine: Machine, reader: ByteReader): void {
  global(machine, reader);
  machine.fail(`Expected an opcode of tensors and plain values but received INST before byte ${reader.position}`);
}

function append(machine: Machine): void {
  const value = machine.pop();
  machine.topList().push(value);
}

function appends(machine: Machine): void {
  const values = machine.popToMark();
  const list = machine.topList();
  for (const value of values) list.push(value);
}

function addItems(machine: Machine): void {
  const values = machine.popToMark();
  const set = machine.topSet();
  for (const value of values) set.add(value);
}

function setItem(machine: Machine): void {
  const value = machine.pop();
  const key = machine.pop();
  machine.topDict().set(key, value);
}

function setItems(machine: Machine): void {
  const items = machine.popToMark();
  machine.setItems(machine.topDict(), items);
}

function dict(machine: Machine): void {
  const made: Dict = new Map();
  machine.setItems(made, machine.popToMark());
  machine.push(made);
}
