import { join } from "node:path";
import type { Command } from "commander";
import type { Attack } from "../attacks/index.js";
import type { Backend } from "../backends/backend.js";
import type { Dataset } from "../data/dataset.js";
import { modelByName } from "../models/index.js";
import type { TrainingLog } from "../report/index.js";
import { markdownPage, reportPage, resultLines } from "../reproduce/present.js";
import type { TableResult, TableSettings } from "../reproduce/results.js";
import { reproduce, type ReproduceOptions } from "../reproduce/run.js";
import { StateFile } from "../reproduce/state.js";
import { networkId, tables, type PaperTable } from "../reproduce/tables.js";
import { findWeights, type TableRow } from "../reproduce/weights.js";
import { openPreset } from "../training/preset-file.js";
import { writeTextAtomic } from "../util/atomic-file.js";
import { attackOf, expectExit, expectUsed } from "./attack-options.js";
import { calibratedPolicy } from "./calibration.js";
import { addCommand } from "./command.js";
import { openSplit } from "./dataset-options.js";
import { defined } from "./defined.js";
import { openBackend } from "./engine-options.js";
import { onInterrupt } from "./interrupt.js";
import { note, print, table as drawTable, textTable } from "./output.js";
import { startProgress } from "./progress.js";
import { withReproduceOptions, type ReproduceCommandOptions } from "./reproduce-options.js";
import { trainingFolder, trainMissing } from "./reproduce-training.js";
import { readTrainingLog } from "./training-log.js";
import { asUsage, Interrupted, UsageError } from "./usage-error.js";
import { expectWritableFolder } from "./writable.js";

export function addReproduce(program: Command): void {
  const command = addCommand(
    program,
    "reproduce",
    "Fill in a table of the paper, from weights or by training; run again, it goes on where it stopped.",
    [
      "rdi reproduce",
      "rdi reproduce digits-smallcnn --train --limit 1000 --attack-limit 200",
      "rdi reproduce mnist-smallcnn --data mnist/ --weights runs/ --only rdi-smallcnn",
      "rdi reproduce cifar10-resnet38-authors --data cifar10/ --weights rdi-resnet38/max-average=rdi-resnet38.safetensors --attack-limit 1024",
    ],
  ).argument("[table]", "the table's name; without it, the tables are listed");
  withReproduceOptions(command).action(async (name: string | undefined, options: ReproduceCommandOptions) => {
    if (name === undefined) {
      listTables(options.json);
      return;
    }
    const table = tables.get(name);
    if (table === undefined)
      throw new UsageError(`Expected a table (${[...tables.keys()].join(", ")}) but received ${JSON.stringify(name)}`);
    const out = options.out ?? `rdi-${name}`;
    const result = await run(table, out, options);
    print(options.json, result, () => resultText(result, out));
    if (options.json === true) note(`Results: ${out}`);
  });
}

function listTables(json: boolean | undefined): void {
  print(json, { tables: [...tables.values()] }, () =>
    drawTable(
      ["table", "what it shows", "networks"],
      [...tables.values()].map(({ name, title, networks }) => [
        name,
        title,
        [...new Set(networks.map(({ model }) => model))].join(", "),
      ]),
      3,
    ),
  );
}

async function run(table: PaperTable, out: string, options: ReproduceCommandOptions): Promise<TableResult> {
  if (options.train !== true && options.preset !== undefined)
    throw new UsageError(`Expected --train with --preset ${options.preset} but received none`);
  const given = await asUsage(() => findWeights(table, options.weights));
  const chosen = chosenRows(given, options.only);
  if (options.train !== true && chosen.every(({ weights }) => weights === undefined)) {
    throw new UsageError(`Expected --weights of ${chosen.map(networkId).join(", ")}, or --train, but received none`);
  }
  const source = { dataset: table.dataset, ...defined({ data: options.data }) };
  const test = await openSplit(source, "test");
  const attacks = await attacksOf(table, options, chosen);
  await expectWritableFolder(out);
  using backend = await openBackend(options);
  const settings = settingsOf(table, options, { test, attack: attacks[0]!, backend });
  // Training takes long: figures of other settings are better refused before it.
  const state = await StateFile.open(join(out, "state.json"), settings);

  using interrupt = onInterrupt("Stopping soon; finished cells and checkpoints are kept.");
  const { signal } = interrupt;
  const rows =
    options.train === true ? await trained(table, chosen, { out, options, source, backend, signal }) : chosen;
  const result = await measured(backend, { table, rows, attacks, dataset: test, state, signal }, { options, source });
  await writeResults(out, result, rows);
  if (signal.aborted)
    throw new Interrupted(`Stopped; what is done is kept in ${out}. The same command goes on from there.`);
  return result;
}

type Source = Parameters<typeof openSplit>[0];

/** The rows named by model or by model/defence. */
function chosenRows(rows: readonly TableRow[], only: readonly string[] | undefined): readonly TableRow[] {
  if (only === undefined) return rows;
  const unknown = only.filter((name) => !rows.some((row) => name === row.model || name === networkId(row)));
  if (unknown.length > 0) {
    throw new UsageError(
      `Expected networks of the table (${rows.map(networkId).join(", ")}) for --only but received ${unknown.join(", ")}`,
    );
  }
  return rows.filter((row) => only.includes(row.model) || only.includes(networkId(row)));
}

async function attacksOf(
  { attack, dataset }: PaperTable,
  options: ReproduceCommandOptions,
  rows: readonly TableRow[],
): Promise<Attack[]> {
  const { forms = attack.forms, eps, step, steps, randomStart, seed } = options;
  const given = defined({ eps, step, steps, randomStart: randomStart ? undefined : false });
  expectUsed(attack.method, given);
  const attacks = await Promise.all(
    forms.map((form) => attackOf({ attack: attack.method, form, norm: "linf", seed, ...given }, dataset)),
  );
  const models = await asUsage(() => [...new Set(rows.map(({ model }) => model))].map((name) => modelByName(name)));
  for (const one of attacks) for (const model of models) if (model.exits > 1) expectExit(one!, model);
  return attacks as Attack[];
}

function settingsOf(
  table: PaperTable,
  { limit, attackLimit, calibrate }: ReproduceCommandOptions,
  { test, attack, backend }: { readonly test: Dataset; readonly attack: Attack; readonly backend: Backend },
): TableSettings {
  const { name: method, eps, step, steps, randomStart, seed } = attack.method;
  const cleanImages = Math.min(limit ?? Infinity, test.length);
  const attackedImages = Math.min(attackLimit ?? cleanImages, test.length);
  const counts = { cleanImages, attackedImages };
  return {
    table: table.name,
    dataset: table.dataset,
    calibrate,
    ...counts,
    ...{ method, eps, step, steps, randomStart, seed },
    backend: backend.name,
  };
}

interface Work {
  readonly out: string;
  readonly options: ReproduceCommandOptions;
  readonly source: Source;
  readonly signal: AbortSignal;
}

async function trained(
  table: PaperTable,
  rows: readonly TableRow[],
  { out, options, source, backend, signal }: Work & { readonly backend: Backend },
): Promise<readonly TableRow[]> {
  const preset = await asUsage(() => openPreset(options.preset ?? table.preset));
  if (preset.dataset !== table.dataset)
    throw new UsageError(`Expected a preset for ${table.dataset} but received one for ${preset.dataset}`);
  return trainMissing(rows, { preset, backend, images: () => openSplit(source, "train"), out, signal });
}

async function measured(
  backend: Backend,
  work: Omit<ReproduceOptions, "policyOf" | "onProgress">,
  { options, source }: Pick<Work, "options" | "source">,
): Promise<TableResult> {
  const { calibrate } = options;
  using progress = startProgress("Measuring");
  return await reproduce(backend, {
    ...work,
    policyOf: (net, images) =>
      calibratedPolicy(net, { ...source, ...(calibrate !== "weights" && { calibrate }) }, images),
    onProgress: progress.update,
  });
}

async function writeResults(out: string, result: TableResult, rows: readonly TableRow[]): Promise<void> {
  const logs = await Promise.all(rows.map((row) => trainingLog(out, row)));
  const write = (name: string, text: string): Promise<void> => writeTextAtomic(join(out, name), text);
  await write("results.json", `${JSON.stringify(result, null, 2)}\n`);
  await write("results.md", markdownPage(result));
  await write("report.html", reportPage(result, logs.flat()));
}

/** The log of a network that was trained for this table. */
async function trainingLog(out: string, row: TableRow): Promise<TrainingLog[]> {
  const folder = trainingFolder(out, row);
  if (row.weights !== join(folder, "model.safetensors")) return [];
  return [{ name: networkId(row), log: await readTrainingLog(join(folder, "log.jsonl")) }];
}

/** Narrow enough for a terminal: the settings stand in the files. */
function resultText(result: TableResult, out: string): string {
  const { columns, rows } = resultLines(result);
  return [
    textTable({ columns: columns.slice(0, -1), rows: rows.map((row) => row.slice(0, -1)) }),
    `With the settings of each figure: ${["results.json", "results.md", "report.html"].map((name) => join(out, name)).join(", ")}`,
  ].join("\n");
}
