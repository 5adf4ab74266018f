import type { BackendWasm } from "@tensorflow/tfjs-backend-wasm";
import type { Graph } from "../../graph/types.js";
import type { OpName } from "../../ops/index.js";
import type { DType, Spec } from "../../ops/spec.js";
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
import { HostParamSet } from "../param-set.js";
import { TfjsAdaptivePlan } from "./adaptive-plan.js";
import { TfjsPlan } from "./plan.js";
import type { Tf, TfTensor } from "./program.js";
import { supports } from "./translate.js";

/** Holds a tensor of TensorFlow.js, which is never changed in place, so that others may share it. */
class TfjsSlot implements Slot {
  /** Of one dimension; as long as what has been written, undefined before. */
  elements: TfTensor | undefined;
  constructor(readonly bytes: number) {}
}

/**
 * Our graphs on TensorFlow.js's WebAssembly kernels. Everything is computed in the call, on the caller's thread. TensorFlow.js has one current backend for the
 * whole program, which must be `wasm` whenever this one works.
 */
export class TfjsBackend implements Backend {
  readonly name = "tfjs";
  readonly threads: number;
  readonly #slots = new Set<Slot>();
  readonly #plans = new Set<Plan | AdaptivePlan>();

  /** @param tf with `wasm` as its current backend, started; else a BackendError is thrown */
  constructor(readonly tf: Tf) {
    this.expectWasm();
    this.threads = (tf.backend() as BackendWasm).wasm.tfjs.getThreadsCount();
  }

  supports(op: OpName): true | { readonly reason: string } {
    return supports(this.tf, op);
  }

  alloc(bytes: number): Slot {
    const slot = new TfjsSlot(bytes);
    this.#slots.add(slot);
    return slot;
  }

  free(slot: Slot): void {
    if (!this.#slots.delete(slot)) return;
    (slot as TfjsSlot).elements?.dispose();
  }

  write(slot: Slot, data: HostArray): void {
    this.expectWasm();
    this.store(slot, this.tf.tensor1d(data, data instanceof Int32Array ? "int32" : "float32"));
  }

  async read(slot: Slot, dtype: DType, length: number): Promise<HostArray> {
    const elements = this.elements(slot, dtype, length);
    const data = elements.dataSync<"float32" | "int32">();
    elements.dispose();
    return data;
  }

  liveBytes(): number {
    return [...this.#slots, ...this.#plans].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  bindParams(params: ReadonlyMap<string, { readonly spec: Spec; readonly data: HostArray }>): ParamSet {
    return new HostParamSet(this, params);
  }

  compile(graph: Graph, params: ParamSet, options: CompileOptions): Plan {
    return this.#hold(new TfjsPlan(this, graph, params, options));
  }

  compileAdaptive(graph: AdaptiveGraph, params: ParamSet, options: CompileOptions): AdaptivePlan {
    return this.#hold(new TfjsAdaptivePlan(this, graph, params, options));
  }

  dispose(): void {
    for (const plan of [...this.#plans]) plan.dispose();
    for (const slot of [...this.#slots]) this.free(slot);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** A plan that is gone holds nothing. */
  release(plan: Plan | AdaptivePlan): void {
    this.#plans.delete(plan);
  }

  /** The first `length` elements of a slot, in a tensor of one dimension that is the caller's to dispose of; zeros where nothing has been written. */
  elements(slot: Slot, dtype: DType, length: number): TfTensor {
    this.expectWasm();
    const held = this.#live(slot, length).elements;
    const type = dtype === "i32" ? "int32" : "float32";
    if (held !== undefined && held.dtype !== type)
      throw new BackendError(`Expected a slot of ${type} but received one of ${held.dtype}`);
    return this.tf.tidy(() => {
      if (held === undefined) return this.tf.zeros([length], type);
      // Shares the numbers, which clone copies.
      if (held.size === length) return this.tf.reshape(held, [length]);
      if (held.size > length) return this.tf.slice(held, [0], [length]);
      return this.tf.concat([held, this.tf.zeros([length - held.size], type)]);
    });
  }

  /** Puts a tensor of one dimension, which is taken over, in the place of the slot's first elements. */
  store(slot: Slot, elements: TfTensor): void {
    const target = this.#live(slot, elements.size, elements);
    const old = target.elements;
    const longer = old !== undefined && old.size > elements.size;
    target.elements = this.tf.keep(
      longer ? this.tf.tidy(() => this.tf.concat([elements, this.tf.slice(old, [elements.size], [-1])])) : elements,
    );
    old?.dispose();
    if (longer) elements.dispose();
  }

  /** @throws BackendError unless TensorFlow.js computes on its WebAssembly backend now */
  expectWasm(): void {
    const current = this.tf.getBackend();
    if (current !== "wasm")
      throw new BackendError(
        `Expected wasm for TensorFlow.js's current backend but received ${current || "none"}; await tf.setBackend("wasm") chooses it`,
      );
  }

  #hold<P extends Plan | AdaptivePlan>(plan: P): P {
    this.#plans.add(plan);
    return plan;
  }

  /** @param taken what is disposed of if the slot is not live, or too short */
  #live(slot: Slot, elements: number, taken?: TfTensor): TfjsSlot {
    if (this.#slots.has(slot) && slot.bytes >= 4 * elements) return slot as TfjsSlot;
    taken?.dispose();
    if (!this.#slots.has(slot))
      throw new BackendError("Expected a live slot of this backend but received a freed or foreign one");
    throw new BackendError(`Expected a slot of at least ${4 * elements} bytes but received one of ${slot.bytes}`);
  }
}
