import { imageElements, isPerImage } from "../../ops/spec.js";
import { ArgumentError } from "../../util/errors.js";
import { splitAtExits, type Segment } from "../passes/split-at-exits.js";
import type { Graph, Value } from "../types.js";
import { aligned, planMemory } from "./memory.js";
import { PhaseKind, Storage, type Phase, type PlanSegment, type Program } from "./program.js";
import { PARAMETER_STAGE, schedule } from "./schedule.js";
import { chooseTile } from "./tile.js";
import { loadNode, planNode, ValueTable } from "./values.js";
import type { LowerOptions } from "./lower.js";

/** Images that a queue holds, in tiles: what is left from before a segment runs, and what it adds. */
const QUEUE_TILES = 2;

/** Lowers a graph with outputs `exit<i>.probabilities` and `exit<i>.entropy` to a program of one segment for each of `exits`. */
export function lowerAdaptive(graph: Graph, exits: readonly number[], options: LowerOptions): Program {
  const segments = splitAtExits(
    graph,
    exits.map((exit) => ({ exit, outputs: [`exit${exit}.probabilities`, `exit${exit}.entropy`] })),
  );
  const table = new ValueTable();
  const placed = new Map<Value, number>();
  for (const [name, value] of [...graph.params, ...graph.inputs])
    placed.set(value, table.external(name, graph.specs[value]!));

  const parameters: Phase = { kind: PhaseKind.Parameters, loads: [], body: [], stores: [] };
  for (const [node, stage] of schedule(graph).stageOf) {
    if (isPerImage(graph.specs[node.out]!)) continue;
    if (stage !== PARAMETER_STAGE) {
      throw new ArgumentError(
        `Expected whole values of an adaptive plan to depend on parameters alone but received ${node.op}`,
      );
    }
    placed.set(node.out, table.add(graph.specs[node.out]!, Storage.Shared));
    parameters.body.push(planNode(node, (value) => placed.get(value)!));
  }
  const first = parameters.body.length > 0 ? 1 : 0;

  const queues = segments.map((segment, k) => {
    return new Map(segment.boundary.map((value) => [value, table.add(graph.specs[value]!, Storage.Queue, k)]));
  });
  const phases: Phase[] = [];
  const planSegments = segments.map((segment, k): PlanSegment => {
    const { phase, at } = lowerSegment(graph, segment, placed, queues[k]!, table);
    phases.push(phase);
    const next = queues[k + 1] ?? new Map<Value, number>();
    return {
      phase: first + k,
      exit: segment.exit,
      entropy: at(graph.outputs.get(`exit${segment.exit}.entropy`)!),
      probabilities: at(graph.outputs.get(`exit${segment.exit}.probabilities`)!),
      moves: [...next].map(([value, to]) => [at(value), to] as const),
    };
  });

  const allPhases = [...(first === 1 ? [parameters] : []), ...phases];
  // Results and what is moved on are read after the phase has run.
  const pinned = new Set(
    planSegments.flatMap((segment) => [segment.entropy, segment.probabilities, ...segment.moves.map(([from]) => from)]),
  );
  const plan = (tile: number): { arenaFloats: number; sharedFloats: number } =>
    planMemory(table.values, allPhases, { tile, maxBatch: options.maxBatch, pinned });
  const tile = options.tile ?? chooseTile(plan(1).arenaFloats, options.maxBatch, options.limits);
  let queueFloats = 0;
  for (const value of table.values) {
    if (value.storage !== Storage.Queue) continue;
    value.offset = queueFloats;
    queueFloats += aligned(QUEUE_TILES * tile * imageElements(value.spec));
  }
  return {
    tile,
    maxBatch: options.maxBatch,
    buffers: table.buffers,
    values: table.values,
    phases: allPhases,
    carries: [],
    segments: planSegments,
    repeatsInside: false,
    ...plan(tile),
    queueFloats,
  };
}

/** The phase of one segment, and the plan value of each graph value in it. */
function lowerSegment(
  graph: Graph,
  segment: Segment,
  placed: ReadonlyMap<Value, number>,
  queue: ReadonlyMap<Value, number>,
  table: ValueTable,
): { phase: Phase; at: (value: Value) => number } {
  const phase: Phase = { kind: PhaseKind.Tiled, loads: [], body: [], stores: [] };
  const local = new Map<Value, number>();
  const inputs = new Set(graph.inputs.values());
  const at = (value: Value): number => {
    const known = queue.get(value) ?? local.get(value);
    if (known !== undefined) return known;
    if (!isPerImage(graph.specs[value]!)) return placed.get(value)!;
    const here = table.add(graph.specs[value]!, Storage.Arena);
    local.set(value, here);
    if (inputs.has(value)) phase.loads.push(loadNode(placed.get(value)!, here));
    return here;
  };
  for (const node of segment.nodes) {
    if (isPerImage(graph.specs[node.out]!)) phase.body.push(planNode(node, at));
  }
  return { phase, at };
}
