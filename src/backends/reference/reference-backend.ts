import { optimize } from "../../graph/passes/optimize.js";
import { sliceTo } from "../../graph/passes/dead-code.js";
import type { Precision } from "../../graph/evaluate-node.js";
import type { Graph } from "../../graph/types.js";
import type { NumberArray } from "../../ops/op.js";
import { imageElements, isPerImage, type DType, type Spec } from "../../ops/spec.js";
import { BackendError } from "../../util/errors.js";
import { checkBatch, slotFor } from "../binding.js";
import { HostParamSet } from "../param-set.js";
import type {
  AdaptiveGraph,
  AdaptivePlan,
  AdaptiveResults,
  Backend,
  CompileOptions,
  HostArray,
  ParamSet,
  Plan,
  RunOptions,
  Slot,
} from "../backend.js";
import { evaluate } from "./evaluate.js";

class ReferenceSlot implements Slot {
  /** Float64 holds every float32 and int32 exactly. */
  readonly data: Float64Array;
  constructor(readonly bytes: number) {
    this.data = new Float64Array(bytes / 4);
  }
}

const nothingPending = Promise.resolve();

/** Plain TypeScript: slow, simple, in float64 or float32. The oracle of the tests. */
export class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly threads = 1;
  readonly #slots = new Set<Slot>();

  constructor(readonly precision: Precision = "float64") {}

  supports(): true {
    return true;
  }

  alloc(bytes: number): Slot {
    const slot = new ReferenceSlot(bytes);
    this.#slots.add(slot);
    return slot;
  }

  free(slot: Slot): void {
    this.#slots.delete(slot);
  }

  write(slot: Slot, data: HostArray): void {
    this.#data(slot).set(data);
  }

  read(slot: Slot, dtype: DType, length: number): Promise<HostArray> {
    const data = this.#data(slot).subarray(0, length);
    return Promise.resolve(dtype === "i32" ? Int32Array.from(data) : Float32Array.from(data));
  }

  liveBytes(): number {
    return [...this.#slots].reduce((sum, slot) => sum + slot.bytes, 0);
  }

  bindParams(params: ReadonlyMap<string, { readonly spec: Spec; readonly data: HostArray }>): ParamSet {
    return new HostParamSet(this, params);
  }

  compile(graph: Graph, params: ParamSet, options: CompileOptions): Plan {
    return new ReferencePlan(this, optimize(graph), params, options);
  }

  compileAdaptive(graph: AdaptiveGraph, params: ParamSet, options: CompileOptions): AdaptivePlan {
    return new ReferenceAdaptivePlan(this, graph, params, options);
  }

  dispose(): void {
    this.#slots.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** The first `length` elements of a slot. */
  view(slot: Slot, length: number): NumberArray {
    return this.#data(slot).subarray(0, length);
  }

  #data(slot: Slot): NumberArray {
    if (!this.#slots.has(slot))
      throw new BackendError("Expected a live slot of the reference backend but received a freed one");
    return (slot as ReferenceSlot).data;
  }
}

class ReferencePlan implements Plan {
  readonly bytes = 0;

  constructor(
    readonly backend: ReferenceBackend,
    readonly graph: Graph,
    readonly params: ParamSet,
    readonly options: CompileOptions,
  ) {}

  run(batch: number, io: ReadonlyMap<string, Slot>, { repeat = 1, signal }: RunOptions = {}): void {
    signal?.throwIfAborted();
    checkBatch(batch, this.options.maxBatch);
    const { graph, params } = this;
    const slotOf = (name: string): Slot => slotFor(graph, params, io, name);
    const lengthOf = (spec: Spec): number => imageElements(spec) * (isPerImage(spec) ? batch : 1);
    for (let i = 0; i < repeat; i++) {
      const sources = new Map(
        [...graph.inputs, ...graph.params].map(([name, value]) => [
          name,
          this.backend.view(slotOf(name), lengthOf(graph.specs[value]!)),
        ]),
      );
      const results = evaluate(graph, batch, sources, this.backend.precision);
      for (const [name, data] of results) this.backend.view(slotOf(name), data.length).set(data);
    }
    if ([...graph.alias.values()].some((name) => graph.params.has(name))) params.touch();
  }

  sync(): Promise<void> {
    return nothingPending;
  }

  dispose(): void {
    // Holds nothing.
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Runs every exit of every image and selects afterwards: what the other backends' early exits are checked against. */
class ReferenceAdaptivePlan implements AdaptivePlan {
  readonly bytes = 0;

  constructor(
    readonly backend: ReferenceBackend,
    readonly source: AdaptiveGraph,
    readonly params: ParamSet,
    readonly options: CompileOptions,
  ) {}

  run(
    batch: number,
    inputs: ReadonlyMap<string, Slot>,
    thresholds: readonly number[],
    results: AdaptiveResults,
    { signal }: Pick<RunOptions, "signal"> = {},
  ): void {
    signal?.throwIfAborted();
    checkBatch(batch, this.options.maxBatch);
    const { exits } = this.source;
    const names = exits.flatMap((exit) => [`exit${exit}.probabilities`, `exit${exit}.entropy`]);
    const graph = optimize(sliceTo(this.source.graph, names));
    const sources = new Map<string, NumberArray>();
    for (const [name, value] of [...graph.inputs, ...graph.params]) {
      const spec = graph.specs[value]!;
      const slot = slotFor(graph, this.params, inputs, name);
      sources.set(name, this.backend.view(slot, imageElements(spec) * (isPerImage(spec) ? batch : 1)));
    }
    const outputs = evaluate(graph, batch, sources, this.backend.precision);
    const classes = outputs.get(names[0]!)!.length / batch;
    for (let n = 0; n < batch; n++) {
      const sure = exits.findIndex(
        (exit, k) => k === exits.length - 1 || outputs.get(`exit${exit}.entropy`)![n]! < thresholds[k]!,
      );
      const exit = exits[sure]!;
      const probabilities = outputs.get(`exit${exit}.probabilities`)!.subarray(n * classes, (n + 1) * classes);
      this.backend.view(results.probabilities, batch * classes).set(probabilities, n * classes);
      this.backend.view(results.entropy, batch)[n] = outputs.get(`exit${exit}.entropy`)![n]!;
      this.backend.view(results.exits, batch)[n] = exit;
    }
  }

  sync(): Promise<void> {
    return nothingPending;
  }

  dispose(): void {
    // Holds nothing.
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
