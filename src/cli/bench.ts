import { InvalidArgumentError, Option, type Command } from "commander";
import { median, quantile } from "d3-array";
import type { Backend, BackendName } from "../backends/backend.js";
import { createBackend, describeBackends } from "../backends/registry.js";
import { modelByName } from "../models/index.js";
import { significant } from "../report/format.js";
import { availableCores } from "../util/available-cores.js";
import { prepareWork, WORKS, type Job, type WorkName } from "./bench-works.js";
import { addCommand } from "./command.js";
import { integer, number } from "./numbers.js";
import { print, table } from "./output.js";
import { startProgress } from "./progress.js";
import { asUsage } from "./usage-error.js";

interface BenchOptions {
  readonly backend?: readonly string[];
  readonly threads: readonly number[];
  readonly batch: readonly number[];
  readonly work: readonly WorkName[];
  readonly rounds: number;
  readonly seconds: number;
  readonly json?: boolean;
}

export function addBench(program: Command): void {
  addCommand(program, "bench", "Time inference, attacks and training on this machine's backends, side by side.", [
    "rdi bench",
    "rdi bench rdi-smallcnn --batch 1,128",
    "rdi bench --backend cpu --threads 1,2,4 --work forward --json",
  ])
    .argument("[model]", "the network; rdi info lists them", "rdi-resnet38")
    .addOption(
      new Option("--backend <names>", "such as cpu,wasm; all that work by default, but reference").argParser((text) =>
        text.split(","),
      ),
    )
    .addOption(threadsOption())
    .addOption(listOption("--batch <sizes>", "images of a call", integer(1)).default([128], "128"))
    .addOption(listOption("--work <names>", `some of ${WORKS.join(", ")}`, workName).default(WORKS, "all of them"))
    .addOption(new Option("--rounds <count>", "times that each is timed, in turn").argParser(integer(1)).default(5))
    .addOption(new Option("--seconds <s>", "of each in a round, at least").argParser(number(0)).default(0.3))
    .option("--json", "print one JSON object")
    .action(async (model: string, options: BenchOptions) => {
      const rows = await bench(model, options);
      print(options.json, { model, rows }, () => benchText(rows));
    });
}

function threadsOption(): Option {
  const cores = availableCores();
  return listOption("--threads <counts>", "threads that share the work, such as 1,2", integer(1, 256)).default(
    [cores],
    `${cores}, all cores`,
  );
}

/** An option whose values are separated by commas. */
function listOption<T>(flags: string, description: string, parse: (text: string) => T): Option {
  return new Option(flags, description).argParser((text) => text.split(",").map(parse));
}

function workName(text: string): WorkName {
  const name = WORKS.find((work) => work === text);
  if (name === undefined)
    throw new InvalidArgumentError(`Expected some of ${WORKS.join(", ")} but received ${JSON.stringify(text)}.`);
  return name;
}

/** What one backend reached in one work. */
interface BenchRow {
  readonly work: WorkName;
  readonly batch: number;
  readonly backend: BackendName;
  readonly instructionSet?: string;
  readonly threads: number;
  /** Images a second, and of PGD images × steps: the median over the rounds. */
  readonly rate: number;
  /** Half of the rounds lie within this range of rates, in units of the median. */
  readonly spread: number;
  /** To the first row of the same work: the median of the rounds' ratios. */
  readonly ratio: number;
}

async function bench(name: string, options: BenchOptions): Promise<BenchRow[]> {
  const model = await asUsage(() => Promise.resolve(modelByName(name)));
  const backends = await openBackends(options);
  try {
    const rows: BenchRow[] = [];
    using progress = startProgress("Timing");
    const works = options.work.flatMap((work) => options.batch.map((batch) => ({ work, batch })));
    for (const [i, { work, batch }] of works.entries()) {
      progress.update(i, works.length, `${work}, batch ${batch}`);
      const jobs = backends.map((backend) => prepareWork(work, model, backend, batch));
      try {
        const rates = await alternate(jobs, options);
        rows.push(...backends.map((backend, b) => ({ work, batch, ...rowOf(backend, rates, b) })));
      } finally {
        for (const job of jobs) job.dispose();
      }
    }
    progress.update(works.length, works.length);
    return rows;
  } finally {
    for (const backend of backends) backend.dispose();
  }
}

async function openBackends({ backend, threads }: BenchOptions): Promise<Backend[]> {
  const names = backend ?? (await working());
  const opened: Backend[] = [];
  try {
    for (const name of names)
      for (const count of threads)
        opened.push(await asUsage(() => createBackend({ backend: name as BackendName, threads: count })));
    return opened;
  } catch (error) {
    for (const each of opened) each.dispose();
    throw error;
  }
}

async function working(): Promise<BackendName[]> {
  const reports = await describeBackends();
  return reports.filter(({ name, available }) => available && name !== "reference").map(({ name }) => name);
}

/** Units a second of each job in each round: in turn, and in the other order in the next round. */
async function alternate(jobs: readonly Job[], { rounds, seconds }: BenchOptions): Promise<number[][]> {
  // Compilers, caches and clocks.
  for (const job of jobs) await rateOf(job, Math.min(seconds, 0.1));
  const measured: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    const rates = new Array<number>(jobs.length);
    const order = round % 2 === 0 ? [...jobs.keys()] : [...jobs.keys()].reverse();
    for (const j of order) rates[j] = await rateOf(jobs[j]!, seconds);
    measured.push(rates);
  }
  return measured;
}

async function rateOf(job: Job, atLeast: number): Promise<number> {
  const start = performance.now();
  let calls = 0;
  let seconds: number;
  do {
    await job.run();
    calls++;
    seconds = (performance.now() - start) / 1000;
  } while (seconds < atLeast);
  return (calls * job.units) / seconds;
}

function rowOf({ name, instructionSet, threads }: Backend, rounds: readonly number[][], b: number) {
  const rates = rounds.map((rates) => rates[b]!);
  const rate = median(rates)!;
  return {
    backend: name,
    ...(instructionSet !== undefined && { instructionSet }),
    threads,
    rate,
    spread: (quantile(rates, 0.75)! - quantile(rates, 0.25)!) / rate,
    ratio: median(rounds, (rates) => rates[b]! / rates[0]!)!,
  };
}

function benchText(rows: readonly BenchRow[]): string {
  return table(
    ["work", "backend", "instructions", "threads", "batch", "images/s", "ms/image", "spread", "× first"],
    rows.map(({ work, backend, instructionSet = "", threads, batch, rate, spread, ratio }) => [
      work,
      backend,
      instructionSet,
      threads,
      batch,
      significant(rate),
      significant(1000 / rate),
      `${(100 * spread).toFixed(0)}%`,
      ratio.toFixed(2),
    ]),
    3,
  );
}
