import type { Graph } from "../graph/types.js";
import type { OpName } from "../ops/index.js";
import type { DType, Spec } from "../ops/spec.js";
import type { Disposable } from "../util/disposable.js";

export type BackendName = "cuda" | "cpu" | "wasm" | "tfjs" | "reference";

export type HostArray = Float32Array | Int32Array;

/** Memory of a backend: `bytes` long, holding 32-bit elements. */
export interface Slot {
  readonly bytes: number;
}

/** Named parameters in a backend's memory, shared by every plan that is compiled with them. */
export interface ParamSet extends Disposable {
  readonly specs: ReadonlyMap<string, Spec>;
  /** Grows whenever a parameter changes, so that plans know when what they derived from parameters is stale. */
  readonly version: number;
  slot(name: string): Slot;
  /** @throws ArgumentError if there is no such parameter or the length differs. */
  set(name: string, data: HostArray): void;
  get(name: string): Promise<HostArray>;
  /** Says that a plan has changed parameters in place. */
  touch(): void;
}

export interface CompileOptions {
  /** The largest batch that a run may have. */
  readonly maxBatch: number;
  /** Images that a worker takes depth first through the plan; chosen by the size of the caches, or of a GPU's memory, if absent. */
  readonly tile?: number;
}

export interface RunOptions {
  /** Runs the plan that many times, each with what the one before has replaced. Default 1. */
  readonly repeat?: number;
  /**
   * Ends the run: `sync` is then rejected with its reason, and what the run would have written is lost. On a backend that computes on the caller's
   * thread it is only looked at before the run.
   */
  readonly signal?: AbortSignal | undefined;
}

/** A compiled graph. Immutable; any number of plans may live beside each other. */
export interface Plan extends Disposable {
  /** Bytes of working memory that the plan holds. */
  readonly bytes: number;
  /**
   * Runs the plan on a batch of 1 … maxBatch images. `io` names a slot for every input and output of the graph; an output that replaces an input
   * shares its slot, and is left out. The call may return before the work is done: whatever is asked of the backend afterwards sees its results.
   */
  run(batch: number, io: ReadonlyMap<string, Slot>, options?: RunOptions): void;
  /** Settles when everything that was run has finished; rejected if something of it failed since the last time. */
  sync(): Promise<void>;
}

/** A network whose images leave at the first exit that is sure of them. */
export interface AdaptivePlan extends Disposable {
  readonly bytes: number;
  /** Output slots: probabilities [batch, classes] and entropy [batch] f32, exit number [batch] i32. */
  run(
    batch: number,
    inputs: ReadonlyMap<string, Slot>,
    thresholds: readonly number[],
    results: AdaptiveResults,
    options?: Pick<RunOptions, "signal">,
  ): void;
  sync(): Promise<void>;
}

export interface AdaptiveResults {
  readonly probabilities: Slot;
  readonly entropy: Slot;
  readonly exits: Slot;
}

/** What an adaptive plan is compiled from: a graph with outputs `<exit>.probabilities` and `<exit>.entropy` for each active exit. */
export interface AdaptiveGraph {
  readonly graph: Graph;
  /** The numbers of the active exits, ascending; the outputs are named `exit1.probabilities`, `exit1.entropy` … */
  readonly exits: readonly number[];
}

export interface Backend extends Disposable {
  readonly name: BackendName;
  /** Threads that share the work. */
  readonly threads: number;
  /** Of the machine code in use, where there are several: `avx512`, `avx2`, `neon`, `baseline`; `simd128`; `sm_90` and the like. */
  readonly instructionSet?: string;
  /** The name of the device that computes, where there can be several. */
  readonly device?: string | undefined;
  supports(op: OpName): true | { readonly reason: string };
  /** @throws BackendError when memory runs out: it says how much was asked for and how much is in use. */
  /**
   * @param rowBytes of one image, where the slot holds a row for each image of a batch: a backend of several devices shares the rows out
   */
  alloc(bytes: number, rowBytes?: number): Slot;
  free(slot: Slot): void;
  write(slot: Slot, data: HostArray): void;
  /** Rejected if the run that should have filled the slot failed. */
  read(slot: Slot, dtype: DType, length: number): Promise<HostArray>;
  /** Bytes now held by slots, parameters and plans. */
  liveBytes(): number;
  bindParams(params: ReadonlyMap<string, { readonly spec: Spec; readonly data: HostArray }>): ParamSet;
  compile(graph: Graph, params: ParamSet, options: CompileOptions): Plan;
  compileAdaptive(graph: AdaptiveGraph, params: ParamSet, options: CompileOptions): AdaptivePlan;
}
