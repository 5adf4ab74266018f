import { encodePlan } from "../../graph/plan/encode.js";
import { lower, type LowerOptions } from "../../graph/plan/lower.js";
import { lowerAdaptive } from "../../graph/plan/lower-adaptive.js";
import type { Program } from "../../graph/plan/program.js";
import { sliceTo } from "../../graph/passes/dead-code.js";
import { optimize } from "../../graph/passes/optimize.js";
import type { Precision } from "../../graph/passes/restrict-methods.js";
import type { Graph } from "../../graph/types.js";
import type { OpName } from "../../ops/index.js";
import { isQuantized } from "../../ops/quantized.js";
import { imageElements, isPerImage, type DType, type Spec } from "../../ops/spec.js";
import { BackendError } from "../../util/errors.js";
import { checkBatch, slotFor } from "../binding.js";
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
import { HostParamSet, nextVersion } from "../param-set.js";
import { BufferUse, type NativeAbi, type Pointer } from "./abi.js";

interface NativeSlot extends Slot {
  readonly pointer: Pointer;
}

/** The one class behind `wasm`, `cpu` and `cuda`: graphs become plans, and an engine runs them. */
export class NativeBackend implements Backend {
  readonly #abi: NativeAbi;
  readonly #slots = new Set<Slot>();
  #disposed = false;

  constructor(
    abi: NativeAbi,
    readonly precision: Precision = "fast",
  ) {
    this.#abi = abi;
  }

  get name(): NativeAbi["name"] {
    return this.#abi.name;
  }

  get threads(): number {
    return this.#abi.threads;
  }

  get instructionSet(): string {
    return this.#abi.instructionSet;
  }

  get device(): string | undefined {
    return this.#abi.device;
  }

  supports(op: OpName): true | { readonly reason: string } {
    if (this.name !== "cuda" || !isQuantized(op)) return true;
    return { reason: "quantized networks run on the processor: on the backends cpu, wasm and reference" };
  }

  alloc(bytes: number): Slot {
    const slot: NativeSlot = { bytes, pointer: this.#abi.alloc(bytes) };
    this.#slots.add(slot);
    return slot;
  }

  free(slot: Slot): void {
    if (this.#disposed || !this.#slots.delete(slot)) return;
    this.#abi.free((slot as NativeSlot).pointer);
  }

  write(slot: Slot, data: HostArray): void {
    if (data.byteLength > slot.bytes) {
      throw new BackendError(`Expected at most ${slot.bytes} bytes for a slot but received ${data.byteLength}`);
    }
    this.#abi.write(this.pointer(slot), data);
  }

  async read(slot: Slot, dtype: DType, length: number): Promise<HostArray> {
    if (length * 4 > slot.bytes) {
      throw new BackendError(`Expected to read at most ${slot.bytes / 4} elements of a slot but received ${length}`);
    }
    const data = dtype === "i32" ? new Int32Array(length) : new Float32Array(length);
    await this.#abi.read(this.pointer(slot), data);
    return data;
  }

  liveBytes(): number {
    return this.#abi.liveBytes();
  }

  bindParams(params: ReadonlyMap<string, { readonly spec: Spec; readonly data: HostArray }>): ParamSet {
    return new HostParamSet(this, params);
  }

  compile(graph: Graph, params: ParamSet, options: CompileOptions): NativePlan {
    const optimized = optimize(this.#supported(graph), this.precision);
    return new NativePlan(this, this.#abi, optimized, lower(optimized, this.#lowered(options)), params);
  }

  compileAdaptive({ graph, exits }: AdaptiveGraph, params: ParamSet, options: CompileOptions): AdaptivePlan {
    const outputs = exits.flatMap((exit) => [`exit${exit}.probabilities`, `exit${exit}.entropy`]);
    const optimized = optimize(sliceTo(this.#supported(graph), outputs), this.precision);
    const program = lowerAdaptive(optimized, exits, this.#lowered(options));
    return new NativeAdaptivePlan(this, this.#abi, optimized, program, params);
  }

  #supported(graph: Graph): Graph {
    for (const { op } of graph.nodes) {
      const supported = this.supports(op);
      if (supported !== true)
        throw new BackendError(
          `Expected operations of the backend ${this.name} but received ${op}: ${supported.reason}`,
        );
    }
    return graph;
  }

  #lowered(options: CompileOptions): LowerOptions {
    return { ...options, limits: this.#abi.tile };
  }

  /** The address of a live slot, of at least so many bytes. */
  pointer(slot: Slot, bytes = 0, name = "a slot"): Pointer {
    if (!this.#slots.has(slot))
      throw new BackendError("Expected a live slot of this backend but received a freed or foreign one");
    if (slot.bytes < bytes)
      throw new BackendError(`Expected ${bytes} bytes for ${name} but received a slot of ${slot.bytes}`);
    return (slot as NativeSlot).pointer;
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#slots.clear();
    this.#abi.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** What ordinary and adaptive plans share: an encoded program in the engine. */
abstract class EncodedPlan {
  protected readonly plan: Pointer;
  /** What a run needs of each external buffer. */
  readonly #sizes: readonly { readonly name: string; readonly bytes: number; readonly perImage: boolean }[];
  #disposed = false;

  constructor(
    protected readonly backend: NativeBackend,
    protected readonly abi: NativeAbi,
    protected readonly graph: Graph,
    protected readonly program: Program,
    protected readonly params: ParamSet,
  ) {
    const uses = program.buffers.map((name): BufferUse => {
      if (!graph.outputs.has(name)) return BufferUse.Read;
      return graph.alias.has(name) ? BufferUse.Update : BufferUse.Fill;
    });
    this.plan = abi.planCreate(encodePlan(program), uses);
    this.#sizes = program.buffers.map((name) => {
      const { graph } = this;
      const value = graph.params.get(name) ?? graph.inputs.get(name) ?? graph.outputs.get(name)!;
      const spec = graph.specs[value]!;
      return { name, bytes: 4 * imageElements(spec), perImage: isPerImage(spec) };
    });
  }

  /** Of working memory; 0 while an engine that is elsewhere has not made the plan yet. */
  get bytes(): number {
    this.checkLive();
    return this.abi.planBytes(this.plan);
  }

  /** The buffers of a run of `batch` images. */
  protected pointers(batch: number, io: ReadonlyMap<string, Slot>): Pointer[] {
    this.checkLive();
    checkBatch(batch, this.program.maxBatch);
    return this.#sizes.map(({ name, bytes, perImage }) => {
      const slot = slotFor(this.graph, this.params, io, name);
      return this.backend.pointer(slot, perImage ? batch * bytes : bytes, name);
    });
  }

  async sync(): Promise<void> {
    this.checkLive();
    await this.abi.sync(this.plan);
  }

  protected checkLive(): void {
    if (this.#disposed) throw new BackendError("Expected a live plan but received a disposed one");
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.abi.planDestroy(this.plan);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Of a run that may be a part of one. */
export interface PartOptions extends RunOptions {
  /** Images of the whole batch; those of this run if absent. */
  readonly total?: number;
}

export class NativePlan extends EncodedPlan implements Plan {
  /** Whether weights may come as inputs, which can change from run to run: what the engine derives from weights is then never up to date. */
  readonly #weightsAreInputs = [...this.graph.inputs.values()].some((value) => {
    const { shape } = this.graph.specs[value]!;
    return shape[0] !== "N" && shape.length >= 2;
  });

  run(batch: number, io: ReadonlyMap<string, Slot>, { total, repeat = 1, signal }: PartOptions = {}): void {
    const version = this.#weightsAreInputs ? nextVersion() : this.params.version;
    this.abi.planRun({ plan: this.plan, batch, total, repeat, buffers: this.pointers(batch, io), version, signal });
    if ([...this.graph.alias.values()].some((name) => this.graph.params.has(name))) this.params.touch();
  }
}

class NativeAdaptivePlan extends EncodedPlan implements AdaptivePlan {
  readonly #thresholds: Slot;

  constructor(backend: NativeBackend, abi: NativeAbi, graph: Graph, program: Program, params: ParamSet) {
    super(backend, abi, graph, program, params);
    this.#thresholds = backend.alloc(4 * Math.max(1, program.segments.length - 1));
  }

  run(
    batch: number,
    inputs: ReadonlyMap<string, Slot>,
    thresholds: readonly number[],
    results: AdaptiveResults,
    { signal }: Pick<RunOptions, "signal"> = {},
  ): void {
    const wanted = this.program.segments.length - 1;
    if (thresholds.length !== wanted) {
      throw new BackendError(
        `Expected ${wanted} thresholds, one for each exit but the last, but received ${thresholds.length}`,
      );
    }
    const buffers = this.pointers(batch, inputs);
    const { shape } = this.program.values[this.program.segments[0]!.probabilities]!.spec;
    this.backend.write(this.#thresholds, Float32Array.from(thresholds));
    this.abi.adaptiveRun({
      plan: this.plan,
      batch,
      buffers,
      version: this.params.version,
      signal,
      thresholds: this.backend.pointer(this.#thresholds),
      probabilities: this.backend.pointer(results.probabilities, 4 * batch * (shape[1] as number), "probabilities"),
      entropy: this.backend.pointer(results.entropy, 4 * batch, "entropy"),
      exits: this.backend.pointer(results.exits, 4 * batch, "exits"),
    });
  }

  override dispose(): void {
    this.backend.free(this.#thresholds);
    super.dispose();
  }
}
