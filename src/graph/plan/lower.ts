import { isPerImage } from "../../ops/spec.js";
import type { Graph, Node, Value } from "../types.js";
import { planMemory } from "./memory.js";
import { PhaseKind, Storage, type Phase, type Program } from "./program.js";
import { isTiled, PARAMETER_STAGE, schedule, type Stage } from "./schedule.js";
import { chooseTile, type TileLimits } from "./tile.js";
import { copyNode, hasImageLayout, loadNode, planNode, storeNode, ValueTable } from "./values.js";

export interface LowerOptions {
  readonly maxBatch: number;
  readonly tile?: number;
  /** What a tile that is not given is chosen by; a processor's if absent. */
  readonly limits?: TileLimits | undefined;
}

/** An output of the graph, and where it goes. */
interface Output {
  readonly value: Value;
  /** The external buffer; that of the input or parameter which it replaces, if it replaces one. */
  readonly buffer: string;
  readonly replaces: Value | undefined;
}

/** Lowers a graph to a program: phases, storage, layout conversions and memory. The graph is taken as it is: optimize it first. */
export function lower(graph: Graph, options: LowerOptions): Program {
  return new Lowering(graph, options).program();
}

class Lowering {
  readonly #graph: Graph;
  readonly #options: LowerOptions;
  readonly #table = new ValueTable();
  readonly #stageOf: ReadonlyMap<Node, Stage>;
  readonly #producer: ReadonlyMap<Value, Node>;
  readonly #outputs: readonly Output[];
  /** The last stage that reads a value. */
  readonly #lastRead = new Map<Value, Stage>();
  /** Plan value of a whole or external graph value, or of a per-image one in the arena or the shared area. */
  readonly #placed = new Map<Value, number>();
  /** Plan value of a per-image input in the arena of a stage. */
  readonly #loaded = new Map<string, number>();

  constructor(graph: Graph, options: LowerOptions) {
    this.#graph = graph;
    this.#options = options;
    this.#stageOf = schedule(graph).stageOf;
    this.#producer = new Map(graph.nodes.map((node) => [node.out, node]));
    this.#outputs = [...graph.outputs].map(([name, value]) => {
      const replaced = graph.alias.get(name);
      const replaces = replaced === undefined ? undefined : (graph.inputs.get(replaced) ?? graph.params.get(replaced));
      return { value, buffer: replaced ?? name, replaces };
    });
    for (const [node, stage] of this.#stageOf) {
      for (const value of node.in)
        if (value !== null) this.#lastRead.set(value, Math.max(stage, this.#lastRead.get(value) ?? stage));
    }
  }

  program(): Program {
    for (const [name, value] of this.#graph.params)
      this.#placed.set(value, this.#table.external(name, this.#spec(value)));
    for (const [name, value] of this.#graph.inputs)
      this.#placed.set(value, this.#table.external(name, this.#spec(value)));
    for (const node of this.#graph.nodes) this.#place(node.out);

    const phases = this.#phases();
    const carries = this.#carries();
    const running = phases.filter((phase) => phase.kind !== PhaseKind.Parameters);
    const repeatsInside = running.length === 1 && running[0]!.kind === PhaseKind.Tiled && !this.#reduces();
    // A repetition inside the tile reads again what was loaded once, and what the one before has left.
    const pinned = new Set(repeatsInside ? [...running[0]!.loads.map((node) => node.out), ...carries.flat()] : []);
    const { values, buffers } = this.#table;
    const { maxBatch, limits } = this.#options;
    const plan = (tile: number): { arenaFloats: number; sharedFloats: number } =>
      planMemory(values, phases, { tile, maxBatch, pinned });
    const tile = this.#options.tile ?? chooseTile(plan(1).arenaFloats, maxBatch, limits);
    return {
      tile,
      maxBatch,
      buffers,
      values,
      phases,
      carries: repeatsInside ? carries : [],
      segments: [],
      repeatsInside,
      ...plan(tile),
      queueFloats: 0,
    };
  }

  #spec(value: Value): Graph["specs"][number] {
    return this.#graph.specs[value]!;
  }

  #reduces(): boolean {
    return this.#graph.nodes.some((node) => isTiled(this.#stageOf.get(node)!) && !isPerImage(this.#spec(node.out)));
  }

  /** The stage in which an output can be written: once the value is there, and nothing reads what it replaces any more. */
  #writeStage(output: Output): Stage {
    const node = this.#producer.get(output.value);
    const born = node === undefined ? 1 : this.#stageOf.get(node)!;
    const read = output.replaces === undefined ? born : (this.#lastRead.get(output.replaces) ?? born);
    return Math.max(born, read);
  }

  /** Chooses the storage of a node's output. */
  #place(value: Value): void {
    const stage = this.#stageOf.get(this.#producer.get(value)!)!;
    const spec = this.#spec(value);
    const outputs = this.#outputs.filter((output) => output.value === value);
    const only = outputs.length === 1 ? outputs[0]! : undefined;
    if (only !== undefined && !hasImageLayout(spec) && this.#canWriteDirectly(only, stage)) {
      this.#placed.set(value, this.#table.external(only.buffer, spec));
      return;
    }
    const crosses =
      (this.#lastRead.get(value) ?? stage) > stage || outputs.some((output) => this.#writeStage(output) > stage);
    const storage = isPerImage(spec) && !crosses ? Storage.Arena : Storage.Shared;
    this.#placed.set(value, this.#table.add(spec, storage));
  }

  /** Whether the producer may write straight into the buffer. */
  #canWriteDirectly(output: Output, stage: Stage): boolean {
    // The parameter stage does not run every time, but outputs are written every time.
    if (stage === PARAMETER_STAGE) return false;
    if (output.replaces === undefined) return true;
    // A carried per-image value lives in the arena; a whole one must not be overwritten before its last reader has run.
    if (isPerImage(this.#spec(output.value))) return false;
    const writer = this.#producer.get(output.value)!;
    const position = this.#graph.nodes.indexOf(writer);
    return this.#graph.nodes.every((node, i) => {
      if (!node.in.includes(output.replaces!)) return true;
      const reads = this.#stageOf.get(node)!;
      return reads < stage || (reads === stage && i <= position);
    });
  }

  #phases(): Phase[] {
    const stages = new Map<Stage, Phase>();
    const phaseOf = (stage: Stage): Phase => {
      const known = stages.get(stage);
      if (known !== undefined) return known;
      const kind =
        stage === PARAMETER_STAGE ? PhaseKind.Parameters : isTiled(stage) ? PhaseKind.Tiled : PhaseKind.Whole;
      const phase: Phase = { kind, loads: [], body: [], stores: [] };
      stages.set(stage, phase);
      return phase;
    };
    for (const node of this.#graph.nodes) {
      const stage = this.#stageOf.get(node)!;
      const phase = phaseOf(stage);
      phase.body.push(planNode(node, (value) => this.#at(value, stage, phase)));
    }
    for (const output of this.#outputs) this.#write(output, phaseOf);
    return [...stages].sort(([a], [b]) => a - b).map(([, phase]) => phase);
  }

  /** The plan value that stands for a graph value in a stage; loads an input whose layout or storage must differ. */
  #at(value: Value, stage: Stage, phase: Phase): number {
    const placed = this.#placed.get(value)!;
    if (!this.#needsLoad(value)) return placed;
    const key = `${stage}:${value}`;
    const known = this.#loaded.get(key);
    if (known !== undefined) return known;
    const loaded = this.#table.add(this.#spec(value), Storage.Arena);
    this.#loaded.set(key, loaded);
    phase.loads.push(loadNode(placed, loaded));
    return loaded;
  }

  #needsLoad(value: Value): boolean {
    const spec = this.#spec(value);
    if (this.#producer.has(value) || !isPerImage(spec)) return false;
    return hasImageLayout(spec) || this.#outputs.some((output) => output.replaces === value);
  }

  /** Writes an output to its buffer, unless its producer does. */
  #write(output: Output, phaseOf: (stage: Stage) => Phase): void {
    const spec = this.#spec(output.value);
    let stage = this.#writeStage(output);
    const placed = this.#placed.get(output.value)!;
    const target = this.#table.values[placed]!;
    if (
      this.#producer.has(output.value) &&
      target.storage === Storage.External &&
      this.#table.buffers[target.index] === output.buffer
    ) {
      return;
    }
    const to = this.#table.external(output.buffer, spec);
    if (isPerImage(spec)) {
      if (!isTiled(stage)) stage++;
      const phase = phaseOf(stage);
      phase.stores.push(storeNode(this.#at(output.value, stage, phase), to));
    } else {
      // Neither a parameter stage nor a tiled one can write whole outputs.
      if (stage === PARAMETER_STAGE || isTiled(stage)) stage++;
      phaseOf(stage).body.push(copyNode(placed, to));
    }
  }

  #carries(): [number, number][] {
    return this.#outputs.flatMap((output): [number, number][] => {
      if (output.replaces === undefined || !isPerImage(this.#spec(output.value))) return [];
      const input = this.#loaded.get(`${this.#writeStage(output)}:${output.replaces}`);
      const result = this.#placed.get(output.value)!;
      // An input that nothing reads needs no carrying: the output is stored all the same.
      return input === undefined ? [] : [[input, result]];
    });
  }
}
