import type { ModelName } from "../network/workload.js";
import type { AdaptiveModel } from "./adaptive.js";
import type { Figure } from "./figure.js";
import { describeWork, measureWork, type Effort, type Sides } from "./measure.js";
import type { OwnQuestion } from "./own.js";
import type { GpuWork } from "./work.js";

/** One or more rows of the table. */
export interface Task {
  readonly title: string;
  readonly measure: (sides: Sides, effort: Effort) => Promise<readonly Figure[]>;
}

const RESNET = "rdi-resnet38";
const SMALL = "rdi-smallcnn";
/** The size of the evaluation of a test set of 10,000 images, and of its batches, which have no rest. */
const [EVALUATION, EVALUATION_BATCH] = [10_000, 2000];

type Extra = Partial<Pick<GpuWork, "precision" | "peer" | "images">>;

function work(model: ModelName, kind: GpuWork["kind"], batch: number, extra: Extra = {}): GpuWork {
  const steps = { forward: 0, main: 20, average: 20, "max-average": 20, training: 10 }[kind];
  return { model, kind, batch, images: batch, steps, precision: "tf32", peer: "graph", ...extra };
}

const workTask = (made: GpuWork): Task => ({
  title: `${made.model}, ${describeWork(made)}, ${made.precision}, batch ${made.batch}, PyTorch ${made.peer}`,
  measure: async (sides, effort) => [await measureWork(made, sides, effort)],
});

const adaptiveTask = (model: AdaptiveModel, batch: number): Task => ({
  title: `${model}, adaptive, batch ${batch}`,
  measure: async ({ own }, effort) => {
    const question: OwnQuestion = { ask: "adaptive", model, batch, effort };
    return ((await own.ask(question)) as { figures: Figure[] }).figures;
  },
});

const OTHER_PRECISIONS = ["fp32", "fp16", "bf16"] as const;

/** The most important first: time may be up before the last. */
export function tasks(): Task[] {
  return [
    ...(["forward", "average"] as const).map((kind) => workTask(work(RESNET, kind, 1024))),
    workTask(work(RESNET, "training", 128)),
    workTask(work(RESNET, "max-average", 1024)),
    adaptiveTask(RESNET, 1024),
    ...(["forward", "average"] as const).map((kind) => workTask(work(SMALL, kind, 1024))),
    workTask(work(RESNET, "main", 1024)),
    ...(["forward", "average"] as const).flatMap((kind) =>
      OTHER_PRECISIONS.map((precision) => workTask(work(RESNET, kind, 1024, { precision }))),
    ),
    workTask(work(RESNET, "max-average", EVALUATION_BATCH, { images: EVALUATION })),
    adaptiveTask(SMALL, 1024),
    ...[1, 128, 4096].flatMap((batch) =>
      (["forward", "average"] as const).map((kind) => workTask(work(RESNET, kind, batch))),
    ),
    workTask(work(RESNET, "training", 1024)),
    ...(["fp32", "fp16", "bf16"] as const).map((precision) => workTask(work(RESNET, "training", 128, { precision }))),
    // The strongest peer, which takes long to begin.
    ...(["forward", "average"] as const).map((kind) => workTask(work(RESNET, kind, 1024, { peer: "compile" }))),
    workTask(work(RESNET, "average", 1024, { peer: "compile", precision: "fp16" })),
    workTask(work(SMALL, "training", 128)),
    ...(["main", "max-average"] as const).map((kind) => workTask(work(SMALL, kind, 1024))),
    ...[1, 128, 4096].flatMap((batch) =>
      (["forward", "average"] as const).map((kind) => workTask(work(SMALL, kind, batch))),
    ),
    ...([RESNET, SMALL] as const).flatMap((model) => [1, 4096].map((batch) => adaptiveTask(model, batch))),
    ...[1, 128, 4096].flatMap((batch) =>
      (["main", "max-average"] as const).map((kind) => workTask(work(RESNET, kind, batch))),
    ),
    ...(["forward", "average"] as const).map((kind) => workTask(work(RESNET, kind, 128, { peer: "eager" }))),
    ...[1, 4096].flatMap((batch) =>
      ([RESNET, SMALL] as const).map((model) => workTask(work(model, "training", batch))),
    ),
    workTask(work(SMALL, "training", 1024)),
    ...[1, 128, 4096].flatMap((batch) =>
      (["main", "max-average"] as const).map((kind) => workTask(work(SMALL, kind, batch))),
    ),
    workTask(work(RESNET, "max-average", EVALUATION_BATCH, { images: EVALUATION, precision: "fp16" })),
  ];
}

/** Every kind of row, so small that the emulator and a processor can do it: it tests the benchmark, and measures nothing. */
export function tinyTasks(): Task[] {
  const tiny = (model: ModelName, kind: GpuWork["kind"], extra: Extra = {}): Task => {
    const made = work(model, kind, 2, extra);
    return workTask({ ...made, steps: Math.min(made.steps, 2) });
  };
  return [
    ...(["forward", "average", "max-average", "training"] as const).map((kind) => tiny(SMALL, kind)),
    ...(["forward", "average", "training"] as const).map((kind) => tiny(RESNET, kind)),
    ...OTHER_PRECISIONS.flatMap((precision) => [
      tiny(RESNET, "forward", { precision }),
      tiny(SMALL, "average", { precision }),
    ]),
    tiny(SMALL, "main", { peer: "eager" }),
    tiny(SMALL, "max-average", { images: 4 }),
    adaptiveTask(SMALL, 6),
    adaptiveTask(RESNET, 6),
  ];
}
