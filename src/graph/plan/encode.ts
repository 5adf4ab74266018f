import type { AttributeWord } from "../../ops/op.js";
import { imageDims, isPerImage } from "../../ops/spec.js";
import { phaseNodes, type PlanNode, type PlanValue, type Program } from "./program.js";

const MAGIC = 0x31494452;
const VERSION = 1;
const HEADER_WORDS = 16;

/** The words of docs/plan-format.md. */
export function encodePlan(program: Program): Int32Array {
  const strings = new StringTable();
  const nodes = program.phases.flatMap(phaseNodes);
  const sections = [
    program.values.flatMap(encodeValue),
    nodes.flatMap((node) => encodeNode(node, strings)),
    encodePhases(program),
    program.carries.flat(),
    program.segments.flatMap((segment) => [
      segment.phase,
      segment.entropy,
      segment.probabilities,
      segment.exit,
      segment.moves.length,
      ...segment.moves.flat(),
    ]),
  ];
  const text = strings.words();
  const body = [...sections.flat(), ...text];
  const header = [
    MAGIC,
    VERSION,
    HEADER_WORDS + body.length,
    program.tile,
    program.maxBatch,
    program.buffers.length,
    program.values.length,
    nodes.length,
    program.phases.length,
    program.carries.length,
    program.arenaFloats,
    program.sharedFloats,
    program.segments.length,
    program.queueFloats,
    text.length * 4,
    0,
  ];
  return Int32Array.from([...header, ...body]);
}

function encodeValue(value: PlanValue): number[] {
  const dims = imageDims(value.spec);
  return [
    value.storage,
    value.index,
    value.offset,
    Number(value.spec.dtype === "i32"),
    Number(isPerImage(value.spec)),
    dims.length,
    ...[0, 1, 2, 3].map((i) => dims[i] ?? 1),
  ];
}

function encodeNode(node: PlanNode, strings: StringTable): number[] {
  return [
    strings.offset(node.kernel),
    node.in.length,
    1,
    node.attrs.length,
    ...node.in,
    node.out,
    ...node.attrs.map(encodeAttribute),
  ];
}

const bits = new DataView(new ArrayBuffer(4));

function encodeAttribute(word: AttributeWord): number {
  if (typeof word === "number") return word;
  bits.setFloat32(0, word.float);
  return bits.getInt32(0);
}

function encodePhases(program: Program): number[] {
  let first = 0;
  return program.phases.flatMap((phase) => {
    const words: number[] = [phase.kind];
    for (const list of [phase.loads, phase.body, phase.stores]) {
      words.push(first, list.length);
      first += list.length;
    }
    return words;
  });
}

class StringTable {
  readonly #offsets = new Map<string, number>();
  readonly #bytes: number[] = [];

  offset(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    const offset = this.#bytes.length;
    this.#offsets.set(text, offset);
    this.#bytes.push(...new TextEncoder().encode(text), 0);
    return offset;
  }

  words(): Int32Array {
    const padded = new Uint8Array(Math.ceil(this.#bytes.length / 4) * 4);
    padded.set(this.#bytes);
    return new Int32Array(padded.buffer);
  }
}
