import { extname } from "node:path";
import { Option, type Command } from "commander";
import { slice, type Dataset } from "../data/dataset.js";
import { ABOVE_ANY_ENTROPY, load, save, type AdaptiveNetwork, type ExitPolicy } from "../inference/index.js";
import { percent, significant } from "../report/format.js";
import { writeJson } from "../util/json-file.js";
import { expectExit, planAttack, withTestAttackOptions, type TestAttackOptions } from "./attack-options.js";
import { heldOutImages } from "./calibration.js";
import { chooseByShares, chooseForObjective, type ChosenPolicy } from "./choose-policy.js";
import { addCommand } from "./command.js";
import { openSplit, withDatasetOptions, type DatasetOptions } from "./dataset-options.js";
import { defined } from "./defined.js";
import { openBackend, withEngineOptions, type EngineOptions } from "./engine-options.js";
import { integer } from "./numbers.js";
import {
  DEFAULT_MIX,
  objectiveText,
  ruleOf,
  withObjectiveOptions,
  type ObjectiveOptions,
  type PolicyRule,
} from "./objective-options.js";
import { print, table } from "./output.js";
import { frontierRow, writePolicyReport, type FrontierRow } from "./policy-report.js";
import { UsageError } from "./usage-error.js";
import { withWeightsOption, type WeightsOptions } from "./weights-options.js";
import { expectWritableFile } from "./writable.js";

interface Options extends WeightsOptions, DatasetOptions, TestAttackOptions, ObjectiveOptions, EngineOptions {
  readonly split?: string;
  readonly limit?: number;
  readonly out?: string;
  readonly report?: string;
  readonly json?: boolean;
}

/** What `rdi calibrate --json` prints: the exits and thresholds, and what they make of the images that they were chosen on. */
interface CalibrationReport extends ChosenPolicy {
  readonly model: string;
  readonly dataset: string;
  readonly backend: string;
  readonly threads: number;
  readonly rule: PolicyRule;
  /** Of the rule `optimal`: the policies that were found, the one chosen among them, by cost. */
  readonly frontier?: readonly FrontierRow[];
  readonly out: string;
  readonly report?: string;
}

export function addCalibrate(program: Command): void {
  const command = addCommand(
    program,
    "calibrate",
    "Choose the exits, and the entropies under which images leave early.",
    [
      "rdi calibrate --weights model.safetensors --dataset digits",
      "rdi calibrate --weights model.safetensors --dataset mnist --data mnist/ --out thresholds.json",
      "rdi calibrate --weights model.safetensors --dataset digits --attack pgd --limit 500 --out thresholds.json",
      "rdi calibrate --weights model.safetensors --dataset digits --save 0.4 --report frontier.html",
      "rdi calibrate --weights model.safetensors --dataset digits --min-accuracy 0.97 --attack pgd --mix 0.3 --attack-limit 500",
    ],
  );
  withEngineOptions(
    withObjectiveOptions(withTestAttackOptions(withDatasetOptions(withWeightsOption(command)), "none"))
      .option("--split <name>", "the images to calibrate on (default: held-out ones, but test for paper)")
      .addOption(new Option("--limit <count>", "at most so many images; all by default").argParser(integer(1)))
      .option(
        "--out <file>",
        "where to write: .json gets the policy alone, else a weights file (default: the file of --weights)",
      )
      .option("--report <file>", "of the rule optimal: write accuracy against cost, of all that was found, as a page")
      .option("--json", "print one JSON object"),
  ).action(async (options: Options) => {
    const report = await run(options);
    print(options.json, report, () => reportText(report));
  });
}

async function run(options: Options): Promise<CalibrationReport> {
  const { weights, out = weights, report } = options;
  const plan = await planAttack(options, options.dataset);
  const rule = ruleOf(options, plan !== null);
  expectHeldOut(rule, options);
  await expectWritableFile(out);
  if (report !== undefined) await expectWritableFile(report);
  using backend = await openBackend(options);
  using net = await load(weights, { backend });
  if (plan !== null) expectExit(plan, net.model);
  const images = slice(await imagesOf(rule, options, net), 0, options.limit);
  const { chosen, found } =
    rule === "optimal"
      ? await chooseForObjective(options, net, images, plan)
      : { chosen: await chooseByShares(rule, net, images, plan), found: undefined };
  if (extname(out) === ".json") await writeJson(out, chosen.policy);
  else await save(out, net, { policy: chosen.policy, training: net.training });
  if (report !== undefined && found !== undefined)
    await writePolicyReport(report, net.model, found, { dataset: images.name, settings: settingsOf(options, chosen) });
  return {
    model: net.model.name,
    dataset: images.name,
    backend: backend.name,
    threads: backend.threads,
    rule,
    ...chosen,
    ...(found && { frontier: found.frontier.map(frontierRow) }),
    out,
    ...defined({ report }),
  };
}

/** @throws UsageError if an optimal policy is to be chosen on the test images, or a report asked for of another */
function expectHeldOut(rule: PolicyRule, { split, report }: Options): void {
  if (rule === "optimal" && split === "test") {
    throw new UsageError(
      "Expected held-out images for --rule optimal but received --split test: what is tuned on the test images says nothing of others (--rule paper does as the authors did)",
    );
  }
  if (rule !== "optimal" && report !== undefined)
    throw new UsageError(`Expected --rule optimal for --report but received --rule ${rule}`);
}

async function imagesOf(rule: PolicyRule, options: Options, net: AdaptiveNetwork): Promise<Dataset> {
  if (options.split !== undefined) return openSplit(options, options.split);
  return rule === "paper" ? openSplit(options, "test") : heldOutImages(options, net.training);
}

function settingsOf(options: Options, { images, attacked, policy }: ChosenPolicy): Record<string, string | number> {
  return {
    Images: images,
    Objective: objectiveText(options),
    ...(attacked && {
      "Attacked images": attacked.images,
      Mix: options.mix ?? DEFAULT_MIX,
      Attack: `${attacked.attack.method.toUpperCase()}, ${attacked.attack.form}, aimed at exits ${policy.exits.join(", ")}, ε ${attacked.attack.eps}`,
    }),
    Exits: policy.exits.join(", "),
    "Thresholds (nats)": policy.thresholds.map((threshold) => threshold.toFixed(4)).join(", "),
  };
}

function reportText(report: CalibrationReport): string {
  const { model, dataset, images, attack, policy, exits, adaptive, attacked, out } = report;
  const as = attack === null ? "" : `, attacked by ${attack.method} in the form ${attack.form}`;
  return [
    `${model}, calibrated on ${images} images of ${dataset}${as}`,
    table(
      ["exit", "leaves under (nats)", "images that leave", "accuracy", "MACs, full (10⁶)"],
      exits.map(({ exit, share, accuracy, macs }) =>
        policy.exits.includes(exit)
          ? [exit, thresholdText(policy, exit), percent(share), percent(accuracy), significant(macs.full)]
          : [exit, "not run", "–", percent(accuracy), "–"],
      ),
    ),
    `On these images: accuracy ${percent(adaptive.accuracy)}, ${percent(adaptive.saved.full)} of the full ledger saved.`,
    ...(attacked
      ? [
          `Attacked by ${attacked.attack.method} in the form ${attacked.attack.form}, aimed at these exits (${attacked.images} images): accuracy ${percent(attacked.accuracy)}, ${percent(attacked.saved.full)} saved.`,
        ]
      : []),
    `Written to ${[out, report.report].filter(Boolean).join(" and ")}.`,
  ].join("\n");
}

function thresholdText({ exits, thresholds }: ExitPolicy, exit: number): string {
  const threshold = thresholds[exits.indexOf(exit)];
  if (threshold === undefined) return "–";
  return threshold >= ABOVE_ANY_ENTROPY ? "any" : threshold.toFixed(4);
}
