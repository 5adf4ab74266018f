import type { Command } from "commander";
import { evaluate, load, type Evaluation } from "../inference/index.js";
import type { ExitModel } from "../nn/exit-model.js";
import { expectExit, planAttack, withTestAttackOptions, type TestAttackOptions } from "./attack-options.js";
import { calibratedPolicy } from "./calibration.js";
import { addCommand } from "./command.js";
import {
  openSlice,
  withDatasetOptions,
  withSliceOptions,
  type DatasetOptions,
  type SliceOptions,
} from "./dataset-options.js";
import { openBackend, withEngineOptions, type EngineOptions } from "./engine-options.js";
import { evaluationText } from "./evaluation-text.js";
import { warningsOf } from "./model-warnings.js";
import { print } from "./output.js";
import { startProgress } from "./progress.js";
import { UsageError } from "./usage-error.js";
import { withWeightsOption, type WeightsOptions } from "./weights-options.js";

interface EvaluateOptions extends WeightsOptions, DatasetOptions, SliceOptions, TestAttackOptions, EngineOptions {
  readonly calibrate?: string;
  readonly attackWeights?: string;
  readonly json?: boolean;
}

/** What `rdi evaluate --json` prints. */
export type EvaluationReport = Evaluation & {
  readonly dataset: string;
  /** Why attacks may make the model look more robust than it is. */
  readonly warnings: readonly string[];
};

export function addEvaluate(program: Command): void {
  const command = addCommand(
    program,
    "evaluate",
    "Measure accuracy and cost, of every exit and adaptively, on clean or attacked images.",
    [
      "rdi evaluate --weights rdi-quickstart/rdi-smallcnn/model.safetensors --dataset digits --limit 1000",
      "rdi evaluate --weights model.safetensors --dataset mnist --data mnist/ --attack pgd --form average",
      "rdi evaluate --weights model.safetensors --dataset digits --attack pgd --form single:1 --eps 0.2 --json",
      "rdi evaluate --weights model.safetensors --dataset digits --attack ensemble --aim active --limit 200",
      "rdi evaluate --weights int8.safetensors --dataset digits --attack pgd --attack-weights model.safetensors",
    ],
  );
  withEngineOptions(withTestAttackOptions(withSliceOptions(withDatasetOptions(withWeightsOption(command))), "none"))
    .option(
      "--calibrate <source>",
      "take thresholds not from the weights: equal (chosen on held-out images), paper (chosen on the very images evaluated), or a file of rdi calibrate",
    )
    .option(
      "--attack-weights <file>",
      "attack this network, and evaluate that of --weights on its adversarial images: one in int8 has no gradients of its own",
    )
    .option("--json", "print one JSON object")
    .action(async (options: EvaluateOptions) => {
      const report = await run(options);
      print(options.json, report, () => evaluationText(report));
    });
}

async function run(options: EvaluateOptions): Promise<EvaluationReport> {
  const plan = await planAttack(options, options.dataset);
  const dataset = await openSlice(options);
  using backend = await openBackend(options);
  using net = await load(options.weights, { backend });
  if (plan === null && options.attackWeights !== undefined)
    throw new UsageError("Expected --attack with --attack-weights but received none");
  using other = options.attackWeights === undefined ? undefined : await load(options.attackWeights, { backend });
  const attacked = other ?? net;
  expectLike(net.model, attacked.model);
  if (plan !== null) expectExit(plan, attacked.model);
  const policy = await calibratedPolicy(net, options, dataset);
  const attack = (await plan?.on(attacked.model, policy)) ?? null;
  // They are of gradients, which a network in integers has none of.
  const looksAt = attack !== null && attacked.model.quantization === undefined;
  const warnings = looksAt ? await warningsOf(attacked, dataset) : [];
  using progress = startProgress(attack === null ? "Evaluating" : `Attacking (${attack.toString()}) and evaluating`);
  const {
    model,
    images,
    backend: name,
    threads,
    attack: settings,
    exits,
    adaptive,
    seconds,
  } = await evaluate(net, dataset, {
    policy,
    ...(attack && { attack, attacked }),
    onProgress: progress.update,
  });
  return {
    model,
    dataset: dataset.name,
    images,
    backend: name,
    threads,
    attack: settings,
    exits,
    adaptive,
    warnings,
    seconds,
  };
}

/** Attacks know a network's images, classes and exits. */
function expectLike(model: ExitModel, attacked: ExitModel): void {
  const of = ({ inputShape, classes, exits }: ExitModel): string =>
    `images ${inputShape.join("×")}, ${classes} classes and ${exits} exits`;
  if (of(model) !== of(attacked))
    throw new UsageError(`Expected ${of(model)} for --attack-weights but received ${of(attacked)}`);
}
