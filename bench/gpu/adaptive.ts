import type { Backend } from "../../src/backends/backend.js";
import { measureAdaptive, type Shares } from "../adaptive-runs.js";
import { compare } from "../row.js";
import type { Figure } from "./figure.js";
import type { Effort } from "./measure.js";

const policies = {
  "rdi-smallcnn": [
    { name: "a third at each exit", shares: [1 / 3, 1 / 3, 1 / 3] },
    { name: "all at exit 1", shares: [1] },
    { name: "all at the last exit", shares: [] },
  ],
  "rdi-resnet38": [
    { name: "a third at exits 1, 3 and 7", shares: [1 / 3, 0, 1 / 3] },
    { name: "all at exit 1", shares: [1] },
    { name: "all at the last exit", shares: [] },
  ],
} satisfies Readonly<Record<string, readonly Shares[]>>;

/** The models that have policies here. */
export type AdaptiveModel = keyof typeof policies;

/** Adaptive inference against what its multiply-accumulates promise. */
export async function adaptiveFigures(
  backend: Backend,
  model: AdaptiveModel,
  batch: number,
  effort: Effort,
): Promise<Figure[]> {
  const measured = await measureAdaptive(backend, model, batch, policies[model], effort);
  return measured.map(({ name, left, rounds }) => ({
    model,
    work: `adaptive, ${name}`,
    precision: "tf32",
    batch,
    peer: "our full inference by its MACs",
    ...compare(rounds),
    difference: null,
    ofOperations: null,
    ofBytes: null,
    note: left,
  }));
}
