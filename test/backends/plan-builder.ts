/** Plans written by hand, word by word from docs/plan-format.md and apart from the package's own encoder: what the engine is tested with. */

export type Attribute = number | { readonly float: number };

export interface ValueOptions {
  /** A row for each image; true if absent. */
  readonly perImage?: boolean;
  readonly dtype?: "f32" | "i32";
}

const storages = { external: 0, arena: 1, shared: 2, queue: 3 };
const phaseKinds = { parameters: 0, tiled: 1, whole: 2 };

interface Node {
  readonly kernel: string;
  readonly inputs: readonly number[];
  readonly output: number;
  readonly attributes: readonly Attribute[];
}

interface PhaseNodes {
  readonly loads?: readonly Node[];
  readonly body?: readonly Node[];
  readonly stores?: readonly Node[];
}

/** What an external buffer needs, for those who allocate it. */
export interface BufferSize {
  /** Elements of an image, or of the whole value. */
  readonly elements: number;
  readonly perImage: boolean;
}

export function node(kernel: string, inputs: readonly number[], output: number, ...attributes: Attribute[]): Node {
  return { kernel, inputs, output, attributes };
}

export class PlanBuilder {
  readonly buffers: BufferSize[] = [];
  readonly #values: number[][] = [];
  readonly #nodes: Node[] = [];
  readonly #phases: number[][] = [];
  readonly #carries: number[][] = [];
  readonly #segments: number[][] = [];
  /** Floats of the arena, the shared arena and the queues: every value has a place of its own. */
  readonly #floats = { arena: 0, shared: 0, queue: 0 };

  constructor(
    readonly tile: number,
    readonly maxBatch: number,
  ) {}

  /** A value in a new external buffer. */
  external(dims: readonly number[], options: ValueOptions = {}): number {
    this.buffers.push({ elements: product(dims), perImage: options.perImage ?? true });
    return this.#value("external", this.buffers.length - 1, 0, dims, options);
  }

  arena(dims: readonly number[], options: ValueOptions = {}): number {
    return this.#value("arena", 0, this.#place("arena", this.tile * product(dims)), dims, options);
  }

  shared(dims: readonly number[], options: ValueOptions = {}): number {
    const images = (options.perImage ?? true) ? this.maxBatch : 1;
    return this.#value("shared", 0, this.#place("shared", images * product(dims)), dims, options);
  }

  queue(segment: number, dims: readonly number[], options: ValueOptions = {}): number {
    return this.#value("queue", segment, this.#place("queue", 2 * this.tile * product(dims)), dims, options);
  }

  /** Returns the phase's number. */
  phase(kind: keyof typeof phaseKinds, { loads = [], body = [], stores = [] }: PhaseNodes): number {
    const words = [phaseKinds[kind]];
    for (const nodes of [loads, body, stores]) {
      words.push(this.#nodes.length, nodes.length);
      this.#nodes.push(...nodes);
    }
    return this.#phases.push(words) - 1;
  }

  carry(input: number, output: number): void {
    this.#carries.push([input, output]);
  }

  segment(
    phase: number,
    entropy: number,
    probabilities: number,
    exit: number,
    moves: readonly (readonly number[])[],
  ): void {
    this.#segments.push([phase, entropy, probabilities, exit, moves.length, ...moves.flat()]);
  }

  words(): Int32Array<ArrayBuffer> {
    const names = new Map<string, number>();
    let text = "";
    for (const { kernel } of this.#nodes) {
      if (names.has(kernel)) continue;
      names.set(kernel, text.length);
      text += `${kernel}\0`;
    }
    const strings = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 4) * 4, "\0"));
    const nodes = this.#nodes.flatMap(({ kernel, inputs, output, attributes }) => [
      ...[names.get(kernel)!, inputs.length, 1, attributes.length, ...inputs, output],
      ...attributes.map((word) => (typeof word === "number" ? word : floatBits(word.float))),
    ]);
    const body = [
      ...this.#values.flat(),
      ...nodes,
      ...this.#phases.flat(),
      ...this.#carries.flat(),
      ...this.#segments.flat(),
      ...new Int32Array(strings.buffer),
    ];
    const counts = [
      this.buffers.length,
      this.#values.length,
      this.#nodes.length,
      this.#phases.length,
      this.#carries.length,
    ];
    const { arena, shared, queue } = this.#floats;
    const sizes = [arena, shared, this.#segments.length, queue, strings.length, 0];
    return Int32Array.from([0x31494452, 1, 16 + body.length, this.tile, this.maxBatch, ...counts, ...sizes, ...body]);
  }

  #place(area: "arena" | "shared" | "queue", floats: number): number {
    const offset = this.#floats[area];
    this.#floats[area] += Math.ceil(floats / 16) * 16;
    return offset;
  }

  #value(
    storage: keyof typeof storages,
    index: number,
    offset: number,
    dims: readonly number[],
    { perImage = true, dtype = "f32" }: ValueOptions,
  ): number {
    const padded = [0, 1, 2, 3].map((i) => dims[i] ?? 1);
    return (
      this.#values.push([
        ...[storages[storage], index, offset, Number(dtype === "i32"), Number(perImage), dims.length],
        ...padded,
      ]) - 1
    );
  }
}

export function product(dims: readonly number[]): number {
  return dims.reduce((total, dim) => total * dim, 1);
}

function floatBits(value: number): number {
  return new Int32Array(Float32Array.of(value).buffer)[0]!;
}
