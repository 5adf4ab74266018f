import { allocFor } from "../backends/binding.js";
import type { Backend, CompileOptions, HostArray, ParamSet, Plan, RunOptions, Slot } from "../backends/backend.js";
import type { Graph } from "../graph/types.js";
import { imageElements, isPerImage, type Spec } from "../ops/spec.js";
import type { Disposable } from "../util/disposable.js";
import { ArgumentError } from "../util/errors.js";

/**
 * What a run has given, read by `reads`; or what went wrong with it. The reads are asked for together with the run: whoever else runs the plan
 * while this caller waits changes nothing of what it gets.
 */
export async function outputsOf<T>(plan: Pick<Plan, "sync">, reads: readonly Promise<T>[]): Promise<T[]> {
  const [run, ...settled] = await Promise.allSettled([plan.sync(), ...reads]);
  for (const result of [run, ...settled]) if (result.status === "rejected") throw result.reason;
  return settled.map((result) => (result as PromiseFulfilledResult<T>).value);
}

export type HostValues = Readonly<Record<string, HostArray>>;

/**
 * A compiled graph with slots of its own for inputs and outputs: takes arrays, returns arrays. An output that replaces an input comes back under its
 * own name; one that replaces a parameter stays in the parameter set.
 */
export class Executable implements Disposable {
  readonly graph: Graph;
  readonly maxBatch: number;
  readonly #backend: Backend;
  readonly #plan: Plan;
  readonly #io = new Map<string, Slot>();
  /** Where each output that a caller can read lies. */
  readonly #results = new Map<string, { slot: Slot; spec: Spec }>();

  constructor(backend: Backend, graph: Graph, params: ParamSet, options: CompileOptions) {
    this.#backend = backend;
    this.graph = graph;
    this.maxBatch = options.maxBatch;
    this.#plan = backend.compile(graph, params, options);
    try {
      for (const [name, value] of graph.inputs) this.#io.set(name, this.#slot(graph.specs[value]!));
      for (const [name, value] of graph.outputs) {
        const replaces = graph.alias.get(name);
        if (replaces !== undefined && graph.params.has(replaces)) continue;
        const spec = graph.specs[value]!;
        const slot = replaces === undefined ? this.#slot(spec) : this.#io.get(replaces)!;
        if (replaces === undefined) this.#io.set(name, slot);
        this.#results.set(name, { slot, spec });
      }
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  /** Bytes of working memory of the plan, slots not included. */
  get planBytes(): number {
    return this.#plan.bytes;
  }

  /**
   * @param inputs an array for each input; those left out keep what they had after the run before
   * @param outputs the outputs to read back; all of them if absent
   */
  async run(
    batch: number,
    inputs: HostValues,
    { outputs, ...options }: RunOptions & { readonly outputs?: readonly string[] } = {},
  ): Promise<Map<string, HostArray>> {
    const names = outputs ?? [...this.#results.keys()];
    const wanted = names.map((name) => this.#result(name));
    for (const [name, data] of Object.entries(inputs)) this.#write(batch, name, data);
    this.#plan.run(batch, this.#io, options);
    const arrays = await outputsOf(
      this.#plan,
      wanted.map(({ slot, spec }) => this.#backend.read(slot, spec.dtype, this.#length(spec, batch))),
    );
    return new Map(names.map((name, i) => [name, arrays[i]!]));
  }

  dispose(): void {
    this.#plan.dispose();
    for (const slot of new Set(this.#io.values())) this.#backend.free(slot);
    this.#io.clear();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #result(name: string): { readonly slot: Slot; readonly spec: Spec } {
    const result = this.#results.get(name);
    if (result !== undefined) return result;
    throw new ArgumentError(`Expected one of the outputs ${[...this.#results.keys()].join(", ")} but received ${name}`);
  }

  #write(batch: number, name: string, data: HostArray): void {
    const value = this.graph.inputs.get(name);
    if (value === undefined)
      throw new ArgumentError(
        `Expected one of the inputs ${[...this.graph.inputs.keys()].join(", ")} but received ${name}`,
      );
    const length = this.#length(this.graph.specs[value]!, batch);
    if (data.length !== length)
      throw new ArgumentError(`Expected ${length} elements for input ${name} but received ${data.length}`);
    this.#backend.write(this.#io.get(name)!, data);
  }

  #length(spec: Spec, batch: number): number {
    return imageElements(spec) * (isPerImage(spec) ? batch : 1);
  }

  #slot(spec: Spec): Slot {
    return allocFor(this.#backend, spec, this.maxBatch);
  }
}
