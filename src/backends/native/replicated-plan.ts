import { sumsDevices } from "../../graph/passes/sum-over-devices.js";
import type { Graph } from "../../graph/types.js";
import { f32, i32, isPerImage, type Spec } from "../../ops/spec.js";
import { BackendError } from "../../util/errors.js";
import { checkBatch, slotFor } from "../binding.js";
import type { AdaptiveGraph, AdaptivePlan, AdaptiveResults, ParamSet, Plan, RunOptions, Slot } from "../backend.js";
import type { NativePlan } from "./native-backend.js";
import { shareOf } from "./shares.js";

/** What plans need of the backend of several devices. */
interface Devices {
  /** The parts of a slot, by device: of a row for each of `batch` images, or of a whole value. */
  partsOf(slot: Slot, name: string, spec: Spec, batch: number): readonly Slot[];
  /** What all devices have given, or what went wrong. */
  allOf<T>(results: readonly Promise<T>[]): Promise<T[]>;
}

abstract class Replicas<P extends Plan | AdaptivePlan> {
  readonly bytes: number;

  constructor(
    protected readonly devices: Devices,
    /** By device. */
    protected readonly plans: readonly P[],
    protected readonly maxBatch: number,
  ) {
    this.bytes = plans.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  async sync(): Promise<void> {
    await this.devices.allOf(this.plans.map((plan) => plan.sync()));
  }

  dispose(): void {
    for (const plan of this.plans) plan.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** One plan on several devices, of which each runs it on its images. */
export class ReplicatedPlan extends Replicas<NativePlan> implements Plan {
  /** Whether there is anything to share out. */
  readonly #perImage: boolean;
  /** Whether devices wait for each other. */
  readonly #sums: boolean;
  /** Whether a device without images would lack what the others have afterwards. */
  readonly #allRun: boolean;

  constructor(
    devices: Devices,
    plans: readonly NativePlan[],
    readonly graph: Graph,
    readonly params: ParamSet,
    maxBatch: number,
  ) {
    super(devices, plans, maxBatch);
    const specOf = (value: number): Spec => graph.specs[value]!;
    this.#perImage = graph.specs.some(isPerImage);
    this.#sums = sumsDevices(graph);
    this.#allRun = this.#sums || [...graph.outputs.values()].some((value) => !isPerImage(specOf(value)));
  }

  run(batch: number, io: ReadonlyMap<string, Slot>, { repeat, signal }: RunOptions = {}): void {
    checkBatch(batch, this.maxBatch);
    signal?.throwIfAborted();
    const { plans, params, graph } = this;
    if (this.#perImage && this.#allRun && batch < plans.length) {
      throw new BackendError(
        `Expected at least ${plans.length} images, one a device, for a graph that sums over the batch but received ${batch}`,
      );
    }
    const parts = this.#parts(batch, io);
    plans.forEach((plan, i) => {
      const rows = this.#perImage ? shareOf(batch, i, plans.length) : 1;
      if (rows === 0) return;
      const own = new Map([...parts].map(([name, slots]) => [name, slots[i]!]));
      // Devices that wait for each other cannot end at different times.
      plan.run(rows, own, {
        total: this.#perImage ? batch : 1,
        ...(repeat !== undefined && { repeat }),
        ...(!this.#sums && { signal }),
      });
    });
    if ([...graph.alias.values()].some((name) => graph.params.has(name))) params.touch();
  }

  /** The parts of all slots but the parameters'. A wrong slot is found here, before any device begins. */
  #parts(batch: number, io: ReadonlyMap<string, Slot>): Map<string, readonly Slot[]> {
    const { graph, params, devices } = this;
    const parts = new Map<string, readonly Slot[]>();
    for (const [name, value] of [...graph.inputs, ...graph.outputs]) {
      const place = graph.alias.get(name) ?? name;
      if (graph.params.has(place) || parts.has(place)) continue;
      const slot = slotFor(graph, params, io, name);
      parts.set(place, devices.partsOf(slot, place, graph.specs[value]!, batch));
    }
    return parts;
  }
}

/** One adaptive plan on several devices, of which each runs it on its images. */
export class ReplicatedAdaptivePlan extends Replicas<AdaptivePlan> implements AdaptivePlan {
  constructor(
    devices: Devices,
    plans: readonly AdaptivePlan[],
    readonly source: AdaptiveGraph,
    maxBatch: number,
  ) {
    super(devices, plans, maxBatch);
  }

  run(
    batch: number,
    inputs: ReadonlyMap<string, Slot>,
    thresholds: readonly number[],
    results: AdaptiveResults,
    options: Pick<RunOptions, "signal"> = {},
  ): void {
    checkBatch(batch, this.maxBatch);
    const { devices, plans, source } = this;
    const { specs, outputs, inputs: values } = source.graph;
    const parts = new Map(
      [...inputs].map(([name, slot]) => [name, devices.partsOf(slot, name, specs[values.get(name)!]!, batch)]),
    );
    const probabilitySpec = specs[outputs.get(`exit${source.exits[0]!}.probabilities`)!]!;
    const probabilities = devices.partsOf(results.probabilities, "probabilities", probabilitySpec, batch);
    const entropy = devices.partsOf(results.entropy, "entropy", f32("N"), batch);
    const exits = devices.partsOf(results.exits, "exits", i32("N"), batch);
    plans.forEach((plan, i) => {
      const rows = shareOf(batch, i, plans.length);
      if (rows === 0) return;
      const own = new Map([...parts].map(([name, slots]) => [name, slots[i]!]));
      const ownResults = { probabilities: probabilities[i]!, entropy: entropy[i]!, exits: exits[i]! };
      plan.run(rows, own, thresholds, ownResults, options);
    });
  }
}
