import type { Command } from "commander";
import { readFirst } from "../data/dataset.js";
import { writeSafetensors, type StoredTensor } from "../formats/safetensors.js";
import { load } from "../inference/index.js";
import { reportAttack, type AttackReport } from "../inference/evaluate.js";
import { expectExit, planAttack, withTestAttackOptions, type TestAttackOptions } from "./attack-options.js";
import { addCommand } from "./command.js";
import {
  openSlice,
  withDatasetOptions,
  withSliceOptions,
  type DatasetOptions,
  type SliceOptions,
} from "./dataset-options.js";
import { openBackend, withEngineOptions, type EngineOptions } from "./engine-options.js";
import { warningsOf } from "./model-warnings.js";
import { print, duration } from "./output.js";
import { startProgress } from "./progress.js";
import { UsageError } from "./usage-error.js";
import { withWeightsOption, type WeightsOptions } from "./weights-options.js";
import { expectWritableFile } from "./writable.js";

interface Options extends WeightsOptions, DatasetOptions, SliceOptions, TestAttackOptions, EngineOptions {
  readonly out: string;
  readonly json?: boolean;
}

/** What `rdi attack --json` prints. */
interface CraftReport {
  readonly model: string;
  readonly dataset: string;
  readonly images: number;
  readonly backend: string;
  readonly threads: number;
  readonly attack: AttackReport;
  /** The largest change of a pixel. */
  readonly maxChange: number;
  /** Why attacks may make the model look more robust than it is. */
  readonly warnings: readonly string[];
  readonly out: string;
  readonly seconds: number;
}

export function addAttack(program: Command): void {
  const command = addCommand(
    program,
    "attack",
    "Make adversarial images and write them to a safetensors file (x, x_adv, y; chosen for max-average and ensemble, queries for square, x_slowest for ensemble).",
    [
      "rdi attack --weights rdi-quickstart/rdi-smallcnn/model.safetensors --dataset digits --limit 100 --out adversarial.safetensors",
      "rdi attack --weights model.safetensors --dataset mnist --data mnist/ --form max-average --steps 20 --out adv.safetensors",
    ],
  );
  withEngineOptions(withTestAttackOptions(withSliceOptions(withDatasetOptions(withWeightsOption(command))), "pgd"))
    .requiredOption("--out <file>", "where to write them")
    .option("--json", "print one JSON object")
    .action(async (options: Options) => {
      const report = await run(options);
      print(options.json, report, () => reportText(report));
    });
}

async function run(options: Options): Promise<CraftReport> {
  const plan = await planAttack(options, options.dataset);
  if (plan === null) throw new UsageError("Expected a method for --attack but received none");
  const dataset = await openSlice(options);
  await expectWritableFile(options.out);
  using backend = await openBackend(options);
  using net = await load(options.weights, { backend });
  expectExit(plan, net.model);
  const attack = await plan.on(net.model, net.policy);
  const warnings = await warningsOf(net, dataset);
  const started = performance.now();
  const { images: x, labels: y, size } = readFirst(dataset);
  using progress = startProgress(`Attacking (${attack.toString()})`);
  const {
    images: adversarial,
    chosen,
    queries,
    slowest,
  } = await attack.craft(net, x, y, { policy: net.policy, onProgress: progress.update });
  const shape = [size, ...net.model.inputShape];
  const tensors = new Map<string, StoredTensor>([
    ["x", { dtype: "F32", shape, data: x }],
    ["x_adv", { dtype: "F32", shape, data: adversarial }],
    ["y", { dtype: "I32", shape: [size], data: y }],
  ]);
  if (chosen !== undefined) tensors.set("chosen", { dtype: "I32", shape: [size], data: chosen });
  if (queries !== undefined) tensors.set("queries", { dtype: "I32", shape: [size], data: queries });
  if (slowest !== undefined && slowest !== adversarial)
    tensors.set("x_slowest", { dtype: "F32", shape, data: slowest });
  const settings = reportAttack(attack, queries);
  const model = net.model.name;
  await writeSafetensors(options.out, tensors, {
    attacked: model,
    dataset: dataset.name,
    attack: JSON.stringify(settings),
  });
  return {
    model,
    dataset: dataset.name,
    images: size,
    backend: backend.name,
    threads: backend.threads,
    attack: settings,
    maxChange: x.reduce((max, value, i) => Math.max(max, Math.abs(adversarial[i]! - value)), 0),
    warnings,
    out: options.out,
    seconds: (performance.now() - started) / 1000,
  };
}

function reportText({ images, dataset, model, out, maxChange, seconds: took }: CraftReport): string {
  return `Wrote ${images} adversarial images of ${dataset} against ${model} to ${out}; no pixel changed by more than ${maxChange.toFixed(4)} (${duration(took)}).`;
}
