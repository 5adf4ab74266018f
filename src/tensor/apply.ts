import type { Backend, Plan, Slot } from "../backends/backend.js";
import { allocFor } from "../backends/binding.js";
import { GraphBuilder } from "../graph/builder.js";
import type { Graph } from "../graph/types.js";
import type { AttrsOf, OpName } from "../ops/index.js";
import { isPerImage } from "../ops/spec.js";
import { ArgumentError } from "../util/errors.js";
import { Tensor } from "./tensor.js";

type Operand = Tensor | null;

/** Applies an operation: adds a node where the operands are traced, runs a one-node plan where they are eager. */
export function apply<O extends OpName>(op: O, operands: readonly Operand[], attrs: AttrsOf<O>): Tensor {
  const builder = commonBuilder(op, operands);
  if (builder !== undefined) {
    const ins = operands.map((operand) => operand?.traced?.value ?? null);
    return Tensor.traced(builder, builder.node(op, ins, attrs));
  }
  const key = JSON.stringify([op, operands.map((operand) => operand?.spec ?? null), attrs]);
  const [result] = runEager(key, operands, (inputs) => {
    const traced = inputs.find((input) => input !== null)!.traced!.builder;
    const ins = inputs.map((input) => input?.traced?.value ?? null);
    return [Tensor.traced(traced, traced.node(op, ins, attrs))];
  });
  return result!;
}

function commonBuilder(op: string, operands: readonly Operand[]): GraphBuilder | undefined {
  const builders = new Set(operands.flatMap((operand) => (operand === null ? [] : [operand.traced?.builder])));
  if (builders.size > 1) {
    throw new ArgumentError(
      `Expected the operands of ${op} to be all eager or all of one trace but received a mixture; pass eager tensors into a trace as inputs or parameters`,
    );
  }
  return [...builders][0];
}

interface CachedPlan {
  readonly graph: Graph;
  readonly plan: Plan;
}

/** Plans of eager functions, by backend; the least recently used are dropped. */
const caches = new WeakMap<Backend, Map<string, CachedPlan>>();
const CACHED_PLANS = 64;

/**
 * Runs a function of eager tensors through a plan that is cached under `key` and the batch. Operands become the graph's inputs.
 */
export function runEager(
  key: string,
  operands: readonly Operand[],
  f: (inputs: readonly Operand[]) => readonly Tensor[],
): Tensor[] {
  const present = operands.filter((operand): operand is Tensor => operand !== null);
  const first = present[0];
  if (first === undefined) throw new ArgumentError("Expected at least one tensor operand but received none");
  const { backend } = first.eager;
  const batches = new Set(present.filter(({ spec }) => isPerImage(spec)).map((operand) => operand.eager.batch));
  if (batches.size > 1 || present.some((operand) => operand.eager.backend !== backend)) {
    throw new ArgumentError(
      `Expected operands of one backend and one batch but received batches of ${[...batches].join(", ")} images`,
    );
  }
  const batch = [...batches][0] ?? 1;
  const { graph, plan } = cachedPlan(backend, `${batch}:${key}`, batch, () => traceOperands(operands, f));
  const io = new Map<string, Slot>();
  operands.forEach((operand, i) => {
    if (operand !== null) io.set(`${i}`, operand.eager.slot);
  });
  const results = [...graph.outputs].map(([name, value]) => {
    const spec = graph.specs[value]!;
    const rows = isPerImage(spec) ? batch : 1;
    const slot = allocFor(backend, spec, rows);
    io.set(name, slot);
    return Tensor.eager(spec, { backend, slot, batch: rows });
  });
  try {
    plan.run(batch, io);
  } catch (error) {
    for (const result of results) result.dispose();
    throw error;
  }
  return results;
}

function traceOperands(operands: readonly Operand[], f: (inputs: readonly Operand[]) => readonly Tensor[]): Graph {
  const builder = new GraphBuilder();
  const inputs = operands.map((operand, i) =>
    operand === null ? null : Tensor.traced(builder, builder.input(`${i}`, operand.spec)),
  );
  f(inputs).forEach((result, i) => {
    builder.output(`result${i}`, result.traced!.value);
  });
  return builder.build();
}

function cachedPlan(backend: Backend, key: string, batch: number, build: () => Graph): CachedPlan {
  const cache = caches.get(backend) ?? new Map<string, CachedPlan>();
  caches.set(backend, cache);
  const known = cache.get(key);
  cache.delete(key);
  const graph = known?.graph ?? build();
  const entry = known ?? { graph, plan: backend.compile(graph, backend.bindParams(new Map()), { maxBatch: batch }) };
  cache.set(key, entry);
  if (cache.size > CACHED_PLANS) {
    const [oldest, dropped] = [...cache][0]!;
    cache.delete(oldest);
    dropped.plan.dispose();
  }
  return entry;
}

/** Gives back the plans that eager functions have left on a backend. */
export function releaseEagerPlans(backend: Backend): void {
  for (const { plan } of caches.get(backend)?.values() ?? []) plan.dispose();
  caches.delete(backend);
}
