import { extname } from "node:path";
import { Option, type Command } from "commander";
import { slice, type Dataset } from "../data/dataset.js";
import {
  CALIBRATION_RULES,
  evaluate,
  load,
  save,
  type AdaptiveNetwork,
  type CalibrationRule,
  type Evaluation,
  type ExitPolicy,
} from "../inference/index.js";
import { percent, significant } from "../report/format.js";
import { calibrateWithProgress, heldOutImages } from "./calibration.js";
import { expectExit, planAttack, withTestAttackOptions, type TestAttackOptions } from "./attack-options.js";
import { addCommand } from "./command.js";
import { openSplit, withDatasetOptions, type DatasetOptions } from "./dataset-options.js";
import { openBackend, withEngineOptions, type EngineOptions } from "./engine-options.js";
import { integer } from "./numbers.js";
import { print, table } from "./output.js";
import { writePolicy } from "./policy-file.js";
import { withWeightsOption, type WeightsOptions } from "./weights-options.js";
import { expectWritableFile } from "./writable.js";

interface Options extends WeightsOptions, DatasetOptions, TestAttackOptions, EngineOptions {
  readonly split?: string;
  readonly limit?: number;
  readonly rule: CalibrationRule;
  readonly out?: string;
  readonly json?: boolean;
}

/** What `rdi calibrate --json` prints: the exits and thresholds, and what they make of the images that they were chosen on. */
interface CalibrationReport extends Pick<
  Evaluation,
  "model" | "images" | "backend" | "threads" | "attack" | "exits" | "adaptive"
> {
  readonly dataset: string;
  readonly rule: CalibrationRule;
  readonly policy: ExitPolicy;
  readonly out: string;
}

export function addCalibrate(program: Command): void {
  const command = addCommand(program, "calibrate", "Choose the entropies under which images leave early.", [
    "rdi calibrate --weights model.safetensors --dataset digits",
    "rdi calibrate --weights model.safetensors --dataset mnist --data mnist/ --out thresholds.json",
    "rdi calibrate --weights model.safetensors --dataset digits --attack pgd --limit 500 --out thresholds.json",
  ]);
  withEngineOptions(withTestAttackOptions(withDatasetOptions(withWeightsOption(command)), "none"))
    .addOption(
      new Option(
        "--rule <rule>",
        "equal: every exit takes an equal share of held-out images; paper: the same on the test images",
      )
        .choices(CALIBRATION_RULES)
        .default("equal"),
    )
    .option("--split <name>", "the images to calibrate on (default: held-out ones for equal, test for paper)")
    .addOption(new Option("--limit <count>", "at most so many images; all by default").argParser(integer(1)))
    .option(
      "--out <file>",
      "where to write: .json gets the thresholds alone, else a weights file (default: the file of --weights)",
    )
    .option("--json", "print one JSON object")
    .action(async (options: Options) => {
      const report = await run(options);
      print(options.json, report, () => reportText(report));
    });
}

async function run(options: Options): Promise<CalibrationReport> {
  const { rule, weights, out = weights } = options;
  const plan = await planAttack(options, options.dataset);
  await expectWritableFile(out);
  using backend = await openBackend(options);
  using net = await load(weights, { backend });
  if (plan !== null) expectExit(plan, net.model);
  const attack = (await plan?.on(net.model, net.policy)) ?? null;
  const images = slice(await imagesOf(options, net), 0, options.limit);
  const policy = await calibrateWithProgress(net, rule, images, attack);
  const {
    model,
    exits,
    adaptive,
    threads,
    attack: settings,
  } = await evaluate(net, images, { policy, ...(attack && { attack }) });
  if (extname(out) === ".json") await writePolicy(out, policy);
  else await save(out, net, { policy, training: net.training });
  const { name: dataset, length } = images;
  return {
    model,
    dataset,
    images: length,
    backend: backend.name,
    threads,
    attack: settings,
    rule,
    policy,
    exits,
    adaptive,
    out,
  };
}

async function imagesOf(options: Options, net: AdaptiveNetwork): Promise<Dataset> {
  if (options.split !== undefined) return openSplit(options, options.split);
  return options.rule === "paper" ? openSplit(options, "test") : heldOutImages(options, net.training);
}

function reportText({ model, dataset, images, attack, policy, exits, adaptive, out }: CalibrationReport): string {
  const as = attack === null ? "" : `, attacked by ${attack.method} in the form ${attack.form}`;
  return [
    `${model}, calibrated on ${images} images of ${dataset}${as}`,
    table(
      ["exit", "leaves under (nats)", "images that leave", "accuracy", "MACs, full (10⁶)"],
      exits.map(({ exit, share, accuracy, macs }) => [
        exit,
        policy.thresholds[policy.exits.indexOf(exit)]?.toFixed(4) ?? "–",
        percent(share),
        percent(accuracy),
        significant(macs.full),
      ]),
    ),
    `On these images: accuracy ${percent(adaptive.accuracy)}, ${percent(adaptive.saved.full)} of the full ledger saved. Written to ${out}.`,
  ].join("\n");
}
