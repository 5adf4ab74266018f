import { createHash } from "node:crypto";
import type { Attack } from "../attacks/index.js";
import type { Backend } from "../backends/backend.js";
import { slice, type Dataset } from "../data/dataset.js";
import { evaluate, lastExitPolicy, load, type AdaptiveNetwork, type ExitPolicy } from "../inference/index.js";
import { modelByName } from "../models/index.js";
import { readFileBytes } from "../util/read-file.js";
import { packageCommit } from "../util/package-commit.js";
import { packageVersion } from "../util/package-version.js";
import {
  CLEAN,
  type MeasuredNetwork,
  type NamedCell,
  type NetworkResult,
  type TableCell,
  type TableResult,
} from "./results.js";
import type { StateFile } from "./state.js";
import { networkId, type PaperTable } from "./tables.js";
import type { TableRow } from "./weights.js";

export interface ReproduceOptions {
  readonly table: PaperTable;
  /** Those to fill in, all or some of the table's. */
  readonly rows: readonly TableRow[];
  /** One for each form. */
  readonly attacks: readonly Attack[];
  /** The test images; the first `cleanImages` and `attackedImages` of them are used. */
  readonly dataset: Dataset;
  /** The exits and thresholds of a network with several exits. */
  readonly policyOf: (net: AdaptiveNetwork, images: Dataset) => Promise<ExitPolicy>;
  /** Keeps the cells that are done, and the settings that all are measured with. */
  readonly state: StateFile;
  /** Stops after the batch in hand; the cell in hand is lost. */
  readonly signal?: AbortSignal;
  /** In passes of an image through a network, forward or back. */
  readonly onProgress?: (done: number, total: number, detail: string) => void;
}

/** Small batches, so that work can be stopped soon; results do not depend on it. */
const BATCH = 64;

/**
 * Measures the cells of a table that its state file lacks, and gives the table, as far as it is then filled in.
 *
 * @throws ArgumentError if the state file has figures of other weights
 */
export async function reproduce(backend: Backend, options: ReproduceOptions): Promise<TableResult> {
  const { table, rows, attacks, state, signal } = options;
  const { settings } = state;
  const jobs = await Promise.all(rows.map((row) => jobOf(row, attacks, state)));
  const progress = new Passes(jobs, options.onProgress);
  for (const job of jobs) {
    if (job.todo.length === 0 || signal?.aborted === true) continue;
    await measure(job, backend, progress, options);
  }
  return { table: table.name, title: table.title, settings, networks: jobs.map((job) => networkResult(job)) };
}

/** A row, what is known of it, and what is to be done. */
interface Job {
  readonly row: TableRow;
  /** The clean images (undefined) and the attacks that the row's table has for a network of so many exits. */
  readonly cells: readonly Cell[];
  readonly todo: readonly Cell[];
  readonly sha256?: string;
  measured?: MeasuredNetwork;
}

interface Cell {
  readonly key: string;
  readonly attack?: Attack;
  readonly images: number;
  readonly passes: number;
}

async function jobOf(row: TableRow, attacks: readonly Attack[], state: StateFile): Promise<Job> {
  const { exits } = modelByName(row.model);
  const { settings } = state;
  const cells = [
    cellOf(undefined, settings.cleanImages, exits),
    ...attacks
      .filter(({ form }) => exits > 1 || form === "main")
      .map((attack) => cellOf(attack, settings.attackedImages, exits)),
  ];
  if (row.weights === undefined) return { row, cells, todo: [] };
  const sha256 = createHash("sha256")
    .update(await readFileBytes(row.weights, "a weights file"))
    .digest("hex");
  const measured = state.network(networkId(row), sha256);
  return {
    row,
    cells,
    todo: cells.filter(({ key }) => measured?.cells[key] === undefined),
    sha256,
    ...(measured && { measured }),
  };
}

/** A step of an attack goes forward and back; max-average makes an attack on each exit. */
function cellOf(attack: Attack | undefined, images: number, exits: number): Cell {
  if (attack === undefined) return { key: CLEAN, images, passes: 1 };
  const passes = 1 + 2 * attack.method.steps * (attack.form === "max-average" ? exits : 1);
  return { key: attack.form, attack, images, passes };
}

async function measure(job: Job, backend: Backend, progress: Passes, options: ReproduceOptions): Promise<void> {
  const { dataset, policyOf, state, signal } = options;
  const { settings } = state;
  const id = networkId(job.row);
  using net = await load(job.row.weights!, { backend });
  const policy =
    job.measured?.policy ??
    (net.model.exits === 1 ? lastExitPolicy(net.model) : await policyOf(net, slice(dataset, 0, settings.cleanImages)));
  const fixed = { exits: [...policy.exits], thresholds: [...policy.thresholds] };
  for (const { key, attack, images, passes } of job.todo) {
    if (signal?.aborted === true) return;
    const cell = await stoppable(signal, async () => {
      const {
        attack: report,
        exits,
        adaptive,
        images: count,
      } = await evaluate(net, slice(dataset, 0, images), {
        policy,
        batchSize: BATCH,
        ...(attack && { attack }),
        ...(signal && { signal }),
        onProgress: (done) => progress.show(done * passes, `${id}: ${key}`),
      });
      return {
        attack: report,
        images: count,
        accuracy: adaptive.accuracy,
        macs: adaptive.macs,
        saved: adaptive.saved,
        exits: [...exits],
        version: versionText(),
      };
    });
    if (cell === undefined) return;
    progress.finish(images * passes);
    job.measured = { sha256: job.sha256!, policy: fixed, cells: { ...job.measured?.cells, [key]: cell } };
    await state.keep(id, job.measured);
  }
}

/** Undefined where the signal has stopped the work. */
async function stoppable(
  signal: AbortSignal | undefined,
  work: () => Promise<TableCell>,
): Promise<TableCell | undefined> {
  try {
    return await work();
  } catch (error) {
    if (signal?.aborted === true && error === signal.reason) return undefined;
    throw error;
  }
}

function networkResult({ row: { model, defence, weights }, cells, measured }: Job): NetworkResult {
  return {
    model,
    defence,
    ...(measured && { sha256: measured.sha256, policy: measured.policy }),
    cells: cells.map(({ key }): NamedCell => {
      const cell = measured?.cells[key];
      return { form: key, ...(cell ?? { missing: weights === undefined ? "no weights" : "not yet run" }) };
    }),
  };
}

function versionText(): string {
  const commit = packageCommit();
  return commit === undefined ? packageVersion() : `${packageVersion()} (${commit})`;
}

/** How far the whole work has come: cells differ a hundredfold in what an image costs. */
class Passes {
  readonly #total: number;
  #finished = 0;

  constructor(
    jobs: readonly Job[],
    readonly report: ReproduceOptions["onProgress"],
  ) {
    this.#total = jobs.flatMap(({ todo }) => todo).reduce((sum, { images, passes }) => sum + images * passes, 0);
  }

  /** @param done passes of the cell in hand */
  show(done: number, detail: string): void {
    this.report?.(this.#finished + done, this.#total, detail);
  }

  finish(passes: number): void {
    this.#finished += passes;
  }
}
