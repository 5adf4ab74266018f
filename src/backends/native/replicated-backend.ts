import { sumOverDevices } from "../../graph/passes/sum-over-devices.js";
import type { Graph } from "../../graph/types.js";
import type { OpName } from "../../ops/index.js";
import { imageElements, isPerImage, type DType, type Spec } from "../../ops/spec.js";
import { BackendError } from "../../util/errors.js";
import type {
  AdaptiveGraph,
  AdaptivePlan,
  Backend,
  CompileOptions,
  HostArray,
  ParamSet,
  Plan,
  Slot,
} from "../backend.js";
import { isPeerFailure } from "./addon-engine.js";
import type { NativeBackend } from "./native-backend.js";
import { HostParamSet } from "../param-set.js";
import { ReplicatedAdaptivePlan, ReplicatedPlan } from "./replicated-plan.js";
import { deal, gather, shareOf } from "./shares.js";

/** A device of several: its number and its backend, whose engine must be in a group with the others'. */
export interface Replica {
  readonly number: number;
  readonly backend: NativeBackend;
}

/**
 * Several devices as one backend. Each has all parameters and some of every batch's images (shares.ts), so that what is kept in slots from run to run stays where
 * it is. Whole values are on every device, and the same there: what is reduced over the images is summed over the devices.
 */
export class ReplicatedBackend implements Backend {
  readonly name = "cuda";
  readonly threads: number;
  readonly instructionSet: string;
  readonly device: string;
  /** In the order in which they were asked for. */
  readonly replicas: readonly Replica[];
  readonly #slots = new Set<Slot>();

  constructor(replicas: readonly Replica[]) {
    this.replicas = replicas;
    this.threads = replicas.reduce((sum, { backend }) => sum + backend.threads, 0);
    this.instructionSet = [...new Set(replicas.map(({ backend }) => backend.instructionSet))].join(", ");
    this.device = replicas.map(({ number, backend }) => `${number}: ${backend.device}`).join("; ");
  }

  supports(op: OpName): true | { readonly reason: string } {
    return this.replicas[0]!.backend.supports(op);
  }

  alloc(bytes: number, rowBytes?: number): Slot {
    const bytesOn = (i: number): number =>
      rowBytes === undefined ? bytes : rowBytes * this.#share(bytes / rowBytes, i);
    const parts: Slot[] = [];
    try {
      for (const [i, { backend }] of this.replicas.entries()) parts.push(backend.alloc(bytesOn(i)));
    } catch (error) {
      this.#freeAll(parts);
      throw error;
    }
    const slot: ReplicatedSlot = { bytes, rowBytes, parts };
    this.#slots.add(slot);
    return slot;
  }

  free(slot: Slot): void {
    if (this.#slots.delete(slot)) this.#freeAll((slot as ReplicatedSlot).parts);
  }

  write(slot: Slot, data: HostArray): void {
    const { bytes, rowBytes, parts } = this.#live(slot);
    if (data.byteLength > bytes)
      throw new BackendError(`Expected at most ${bytes} bytes for a slot but received ${data.byteLength}`);
    const shares = rowBytes === undefined ? parts.map(() => data) : deal(data, rowBytes / 4, parts.length);
    for (const [i, { backend }] of this.replicas.entries()) backend.write(parts[i]!, shares[i]!);
  }

  async read(slot: Slot, dtype: DType, length: number): Promise<HostArray> {
    const { rowBytes, parts } = this.#live(slot);
    if (rowBytes === undefined) return await this.replicas[0]!.backend.read(parts[0]!, dtype, length);
    const row = rowBytes / 4;
    const elementsOn = (i: number): number => row * this.#share(length / row, i);
    return gather(
      await this.allOf(this.replicas.map(({ backend }, i) => backend.read(parts[i]!, dtype, elementsOn(i)))),
      row,
    );
  }

  liveBytes(): number {
    return this.replicas.reduce((sum, { backend }) => sum + backend.liveBytes(), 0);
  }

  bindParams(params: ReadonlyMap<string, { readonly spec: Spec; readonly data: HostArray }>): ParamSet {
    return new HostParamSet(this, params);
  }

  compile(graph: Graph, params: ParamSet, options: CompileOptions): Plan {
    const summed = sumOverDevices(graph);
    const plans = this.#onEach((backend, i) => backend.compile(summed, partOf(params, i), this.#optionsOn(i, options)));
    return new ReplicatedPlan(this, plans, summed, params, options.maxBatch);
  }

  compileAdaptive(source: AdaptiveGraph, params: ParamSet, options: CompileOptions): AdaptivePlan {
    const plans = this.#onEach((backend, i) =>
      backend.compileAdaptive(source, partOf(params, i), this.#optionsOn(i, options)),
    );
    return new ReplicatedAdaptivePlan(this, plans, source, options.maxBatch);
  }

  /** The parts of a slot, by device: of a row for each of `batch` images, or of a whole value. */
  partsOf(slot: Slot, name: string, spec: Spec, batch: number): readonly Slot[] {
    const { bytes, rowBytes, parts } = this.#live(slot);
    const one = 4 * imageElements(spec);
    const wanted = isPerImage(spec) ? one : undefined;
    if (rowBytes !== wanted)
      throw new BackendError(`Expected ${kindOf(wanted)} for ${name} but received a slot of ${kindOf(rowBytes)}`);
    const needed = isPerImage(spec) ? batch * one : one;
    if (bytes < needed) throw new BackendError(`Expected ${needed} bytes for ${name} but received a slot of ${bytes}`);
    return parts;
  }

  /** What all devices have given; or what went wrong with one, and not only in consequence of what went wrong with another. */
  async allOf<T>(results: readonly Promise<T>[]): Promise<T[]> {
    const settled = await Promise.allSettled(results);
    const reasons = settled.flatMap((result, i) =>
      result.status === "rejected" ? [{ i, error: result.reason as unknown }] : [],
    );
    const first = reasons.find(({ error }) => !isPeerFailure(error)) ?? reasons[0];
    if (first === undefined) return settled.map((result) => (result as PromiseFulfilledResult<T>).value);
    const { i, error } = first;
    if (!(error instanceof BackendError)) throw error;
    throw new BackendError(`On device ${this.replicas[i]!.number}: ${error.message}`, { cause: error.cause });
  }

  dispose(): void {
    this.#slots.clear();
    for (const { backend } of this.replicas) backend.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** How many of `rows` images device i has. */
  #share(rows: number, i: number): number {
    return shareOf(rows, i, this.replicas.length);
  }

  #optionsOn(i: number, options: CompileOptions): CompileOptions {
    return { ...options, maxBatch: Math.max(1, this.#share(options.maxBatch, i)) };
  }

  /** Makes something on each device; if one cannot be made, none is left. */
  #onEach<T extends { dispose(): void }>(make: (backend: NativeBackend, i: number) => T): T[] {
    const made: T[] = [];
    try {
      for (const [i, { backend }] of this.replicas.entries()) made.push(make(backend, i));
    } catch (error) {
      for (const one of made) one.dispose();
      throw error;
    }
    return made;
  }

  #live(slot: Slot): ReplicatedSlot {
    if (!this.#slots.has(slot))
      throw new BackendError("Expected a live slot of this backend but received a freed or foreign one");
    return slot as ReplicatedSlot;
  }

  #freeAll(parts: readonly Slot[]): void {
    for (const [i, part] of parts.entries()) this.replicas[i]!.backend.free(part);
  }
}

interface ReplicatedSlot extends Slot {
  /** Of one image; undefined where every device has the whole. */
  readonly rowBytes: number | undefined;
  /** By device. */
  readonly parts: readonly Slot[];
}

function kindOf(rowBytes: number | undefined): string {
  return rowBytes === undefined ? "a whole value" : `rows of ${rowBytes} bytes`;
}

/** A device's copies of parameters. */
function partOf(params: ParamSet, i: number): ParamSet {
  const nothing = (): void => undefined;
  return {
    specs: params.specs,
    get version() {
      return params.version;
    },
    slot: (name) => (params.slot(name) as ReplicatedSlot).parts[i]!,
    set: (name, data) => {
      params.set(name, data);
    },
    get: (name) => params.get(name),
    // The plan of all devices says so itself, and once; whoever owns the parameters disposes of them.
    touch: nothing,
    dispose: nothing,
    [Symbol.dispose]: nothing,
  };
}
