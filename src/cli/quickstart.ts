import { join } from "node:path";
import { InvalidArgumentError, Option, type Command } from "commander";
import pc from "picocolors";
import { attackForm, fgsm, pgd, wrm, type Attack } from "../attacks/index.js";
import type { Backend } from "../backends/backend.js";
import { digits } from "../data/digits.js";
import { modelByName } from "../models/index.js";
import { initialParams, type ExitModel } from "../nn/exit-model.js";
import { Network } from "../nn/network.js";
import { percent, points, significant } from "../report/format.js";
import {
  renderReport,
  resultTable,
  threeWins,
  type Comparison,
  type CostCurve,
  type ResultRow,
  type TrainingLog,
} from "../report/index.js";
import type { TrainConfigInput } from "../training/index.js";
import { writeTextAtomic } from "../util/atomic-file.js";
import { addCommand } from "./command.js";
import { openBackend, withEngineOptions, type EngineOptions } from "./engine-options.js";
import { integer, number } from "./numbers.js";
import { note, print, duration, textTable } from "./output.js";
import { startProgress } from "./progress.js";
import { RECIPE, SMALL_RECIPE, type QuickstartRecipe } from "./quickstart-recipe.js";
import { formsFor, study, type Study } from "./study.js";
import { readTrainingLog } from "./training-log.js";
import { trainWithProgress } from "./training-progress.js";
import { expectWritableFolder } from "./writable.js";

interface Options extends EngineOptions {
  readonly out: string;
  readonly epochs?: QuickstartRecipe;
  readonly seed: number;
  readonly json?: boolean;
}

/** What `rdi quickstart --json` prints. */
interface QuickstartResult {
  readonly seconds: number;
  readonly rows: readonly ResultRow[];
}

const COMPARISON: Comparison = { dynamic: "rdi-smallcnn", baseline: "smallcnn" };
const GALLERY_IMAGES = 10;

export function addQuickstart(program: Command): void {
  const command = addCommand(
    program,
    "quickstart",
    "Train, attack and run a robust dynamic network and its single-exit rival on embedded data: five minutes, nothing to download.",
    ["rdi quickstart", "rdi quickstart --out demo --threads 2", "rdi quickstart --epochs small --json"],
  );
  withEngineOptions(command)
    .option("--out <dir>", "where the weights and the report go", "rdi-quickstart")
    .addOption(
      new Option(
        "--epochs <count>",
        `passes over the training digits, or small for a run of seconds (default: ${RECIPE.epochs})`,
      ).argParser(recipeFor),
    )
    .addOption(new Option("--seed <seed>", "of everything random").argParser(integer(0)).default(0))
    .option("--json", "print one JSON object")
    .action(async (options: Options) => {
      const result = await run(options);
      print(options.json, result, () => resultText(result, options.out));
      if (options.json === true) note(`Report and weights: ${options.out}`);
    });
}

function recipeFor(text: string): QuickstartRecipe {
  if (text === "small") return SMALL_RECIPE;
  const epochs = number(0)(text);
  if (epochs === 0) throw new InvalidArgumentError("Expected small or a number over 0.");
  return { ...RECIPE, epochs };
}

async function run({ out, epochs: recipe = RECIPE, seed, ...engine }: Options): Promise<QuickstartResult> {
  const started = performance.now();
  await expectWritableFolder(out);
  using backend = await openBackend(engine);
  const single = await trainAndStudy(COMPARISON.baseline, recipe, { backend, out, seed });
  const dynamic = await trainAndStudy(COMPARISON.dynamic, recipe, { backend, out, seed });
  const rows = [...single.study.rows, ...dynamic.study.rows];
  await writeReport(out, recipe, seed, { single, dynamic }, rows);
  return { seconds: (performance.now() - started) / 1000, rows };
}

interface Studied {
  readonly study: Study;
  readonly training: TrainingLog;
}

interface Place {
  readonly backend: Backend;
  readonly out: string;
  readonly seed: number;
}

async function trainAndStudy(name: string, recipe: QuickstartRecipe, { backend, out, seed }: Place): Promise<Studied> {
  const model = modelByName(name);
  using net = new Network(model, backend, initialParams(model, seed));
  const images = digits({ split: "train", length: recipe.trainImages, seed });
  const result = await trainWithProgress(`Training ${name}`, net, images, trainConfig(name, recipe, seed), {
    out: join(out, name),
    overwrite: true,
  });
  using progress = startProgress(`Testing ${name}`);
  const { cleanImages, attackedImages } = recipe;
  const results = await study(net, {
    policy: result.policy!,
    dataset: digits({ split: "test", length: Math.max(cleanImages, attackedImages), seed }),
    cleanImages,
    attackedImages,
    attacks: testAttacks(model, recipe, seed),
    samples: GALLERY_IMAGES,
    onProgress: progress.update,
  });
  return { study: results, training: { name, log: await readTrainingLog(result.log) } };
}

/** Both networks are trained alike; with one exit, the average form is the main one. */
function trainConfig(model: string, recipe: QuickstartRecipe, seed: number): TrainConfigInput {
  const { epochs, batchSize, learningRate, milestones, epsWarmup, validationFraction, eps, trainStep, trainSteps } =
    recipe;
  return {
    model,
    epochs,
    batchSize,
    learningRate,
    schedule: { milestones: [...milestones], factor: 0.1 },
    attack: { method: "pgd", form: "average", eps, step: trainStep, steps: trainSteps },
    epsWarmup,
    validationFraction,
    seed,
  };
}

/** PGD in every form, and the other methods in one. */
function testAttacks({ exits }: ExitModel, { eps, testStep, testSteps }: QuickstartRecipe, seed: number): Attack[] {
  const forms = formsFor(exits);
  const brief = exits === 1 ? "main" : "average";
  return [
    ...forms.map((form) => attackForm(form, pgd({ eps, step: testStep, steps: testSteps, seed }))),
    attackForm(brief, fgsm({ eps, seed })),
    attackForm(brief, wrm({ eps, steps: testSteps, seed })),
  ];
}

async function writeReport(
  out: string,
  recipe: QuickstartRecipe,
  seed: number,
  { single, dynamic }: { readonly single: Studied; readonly dynamic: Studied },
  rows: readonly ResultRow[],
): Promise<void> {
  const page = renderReport({
    title: "rdi-net quick start",
    generated: new Date().toISOString(),
    model: COMPARISON.dynamic,
    dataset: "digits",
    settings: {
      "Training digits": recipe.trainImages,
      Epochs: recipe.epochs,
      "Trained on": `PGD-${recipe.trainSteps}, average, ε ${recipe.eps}`,
      "Attacked digits": recipe.attackedImages,
      Seed: seed,
    },
    rows,
    comparison: COMPARISON,
    curves: dynamic.study.curves.map((curve) => withRival(curve, single.study.rows)),
    exitShares: dynamic.study.exitShares,
    training: [single.training, dynamic.training],
    gallery: dynamic.study.gallery,
  });
  await writeTextAtomic(join(out, "report.html"), page);
}

/** A curve with the point of the single-exit network under the same images: clean, or attacked by PGD. */
function withRival(curve: CostCurve, rows: readonly ResultRow[]): CostCurve {
  const attack = curve.name === "clean" ? "none" : "pgd";
  return { ...curve, baseline: rows.find((row) => row.attack === attack)! };
}

function resultText({ seconds: took, rows }: QuickstartResult, out: string): string {
  const { accuracy, robustness, saved, macs } = threeWins(rows, COMPARISON);
  const against = ({ dynamic, baseline }: { readonly dynamic: number; readonly baseline: number }): string =>
    `${pc.bold(percent(dynamic))} against ${percent(baseline)} (${points(dynamic - baseline)})`;
  return [
    textTable(resultTable(rows)),
    `${COMPARISON.dynamic}, leaving early, against ${COMPARISON.baseline}, the single-exit network trained with the same defence:`,
    `  accuracy    ${against(accuracy)} on clean images`,
    ...(robustness === undefined ? [] : [`  robustness  ${against(robustness)} under the worst attack on each`]),
    `  efficiency  ${pc.bold(percent(saved.clean.full))} of the MACs saved on clean images (${significant(macs.dynamic.full)} against ${significant(macs.baseline.full)} million an image)`,
    `Weights: ${[COMPARISON.baseline, COMPARISON.dynamic].map((name) => join(out, name, "model.safetensors")).join(", ")}`,
    `Report: ${join(out, "report.html")}`,
    `Took ${duration(took)}.`,
  ].join("\n");
}
