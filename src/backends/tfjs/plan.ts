import { simplify } from "../../graph/passes/optimize.js";
import type { Graph } from "../../graph/types.js";
import { imageElements, isPerImage } from "../../ops/spec.js";
import type { CompileOptions, ParamSet, Plan, RunOptions, Slot } from "../backend.js";
import { checkBatch, slotFor } from "../binding.js";
import { Values, type Ref, type TfTensor } from "./program.js";
import type { TfjsBackend } from "./tfjs-backend.js";
import { translate, type Program } from "./translate.js";

const nothingPending = Promise.resolve();

/** A translated graph with the values that depend on parameters alone, which are computed when they are first needed, and whenever parameters have changed. */
export class TfjsProgram {
  readonly program: Program;
  readonly #fixed: Values;
  #version: number | undefined;

  constructor(
    readonly backend: TfjsBackend,
    readonly graph: Graph,
    readonly params: ParamSet,
    readonly maxBatch: number,
  ) {
    this.program = translate(backend.tf, graph);
    this.#fixed = new Values(backend.tf);
  }

  /** Of the values that are kept from run to run. */
  get bytes(): number {
    return this.#fixed.bytes;
  }

  /** The slot's elements of an input or a parameter, the caller's to dispose of. */
  read(name: string, batch: number, io: ReadonlyMap<string, Slot>): TfTensor {
    const spec = this.graph.specs[(this.graph.inputs.get(name) ?? this.graph.params.get(name))!]!;
    const length = imageElements(spec) * (isPerImage(spec) ? batch : 1);
    return this.backend.elements(slotFor(this.graph, this.params, io, name), spec.dtype, length);
  }

  /** The fixed values, up to date. */
  fixed(): Values {
    const { program, params } = this;
    if (this.#version === params.version) return this.#fixed;
    this.#fixed.dispose();
    this.#version = undefined;
    for (const [name, ref] of program.sources)
      if (this.isFixed(name)) this.#fixed.set(ref, this.read(name, 1, new Map()));
    const wanted = new Set(program.varying.flatMap((call) => call.in));
    this.#fixed.run(program.fixed, 1, undefined, wanted);
    this.#version = params.version;
    return this.#fixed;
  }

  /** Whether a source is a parameter that the program does not replace. */
  isFixed(name: string): boolean {
    return this.graph.params.has(name) && ![...this.graph.alias.values()].includes(name);
  }

  dispose(): void {
    this.#fixed.dispose();
    this.#version = undefined;
  }
}

export class TfjsPlan implements Plan {
  readonly #backend: TfjsBackend;
  readonly #program: TfjsProgram;

  constructor(backend: TfjsBackend, graph: Graph, params: ParamSet, options: CompileOptions) {
    this.#backend = backend;
    this.#program = new TfjsProgram(backend, simplify(graph), params, options.maxBatch);
  }

  get bytes(): number {
    return this.#program.bytes;
  }

  run(batch: number, io: ReadonlyMap<string, Slot>, { repeat = 1, signal }: RunOptions = {}): void {
    signal?.throwIfAborted();
    checkBatch(batch, this.#program.maxBatch);
    const { graph, params } = this.#program;
    for (let i = 0; i < repeat; i++) this.#runOnce(batch, io);
    if ([...graph.alias.values()].some((name) => graph.params.has(name))) params.touch();
  }

  sync(): Promise<void> {
    return nothingPending;
  }

  dispose(): void {
    this.#program.dispose();
    this.#backend.release(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #runOnce(batch: number, io: ReadonlyMap<string, Slot>): void {
    const { graph, params, program } = this.#program;
    const fixed = this.#program.fixed();
    const values = new Values(this.#backend.tf);
    try {
      for (const [name, ref] of program.sources)
        if (!this.#program.isFixed(name)) values.set(ref, this.#program.read(name, batch, io));
      values.run(program.varying, batch, fixed, new Set<Ref>(program.outputs.values()));
      for (const [name, ref] of program.outputs)
        this.#backend.store(slotFor(graph, params, io, name), values.take(ref));
    } finally {
      values.dispose();
    }
  }
}
