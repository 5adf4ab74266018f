import { cpuComparisons, wasmComparisons, type Comparison, type Pair } from "./comparisons.js";
import { instructionSetOf } from "./network/own.js";
import { measure, type Round } from "./network/processes.js";
import type { Subject, Work } from "./network/protocol.js";
import { hasPytorch } from "./network/pytorch.js";
import { operationsOf } from "./network/workload.js";
import type { Options } from "./options.js";
import { compare, quantile, type Row } from "./row.js";

/** Images a second of every work of the native backend beside native peers, each in a process of its own. */
export async function benchCpu(options: Options): Promise<Row[]> {
  // Told by each row, since `RDI_ISA` may force another than the widest.
  const note = await instructionSetOf("cpu");
  const pytorch = await hasPytorch();
  const wanted = cpuComparisons().map(({ work, pairs }) => ({
    work,
    pairs: pairs.filter(({ peer }) => pytorch || peer.library !== "pytorch"),
  }));
  return (await rowsOf(wanted, options)).map((row) => ({ ...row, note }));
}

/** The same of WebAssembly. */
export async function benchWasm(options: Options): Promise<Row[]> {
  return rowsOf(wasmComparisons(), options);
}

async function rowsOf(comparisons: readonly Comparison[], { quick, match, failed }: Options): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { work, pairs } of comparisons) {
    const title = titleOf(work);
    if (pairs.length === 0 || !title.includes(match)) continue;
    console.error(`  ${title} ...`);
    const subjects = new Subjects(pairs);
    try {
      const rounds = await measure(work, subjects.all, { rounds: quick ? 5 : 15, seconds: quick ? 0.3 : 0.5 });
      rows.push(...pairs.map((pair) => rowOf(work, pair, subjects, rounds)));
    } catch (error) {
      // The others are still worth their time.
      failed(`${title}: ${(error as Error).message}`);
    }
  }
  return rows;
}

export function titleOf({ model, kind, batch }: Work): string {
  return `${model} ${kind} ${batch}`;
}

/** Those that are compared, each once, and the peaks that ours are measured by. */
class Subjects {
  readonly #known = new Map<string, Subject>();

  constructor(pairs: readonly Pair[]) {
    for (const subject of pairs.flatMap(({ ours, peer }) => [ours, peer, peakOf(ours)]))
      this.#known.set(nameOf(subject), subject);
  }

  get all(): Subject[] {
    return [...this.#known.values()];
  }

  /** In a round. */
  rate(round: Round, subject: Subject): number {
    return round.get(this.#known.get(nameOf(subject))!)!;
  }
}

const nameOf = ({ library, threads }: Subject): string => `${library} ${threads}`;

/** What as many multiplications and additions as it can make are measured by: those of one thread. */
export function peakOf({ library }: Subject): Subject {
  return { library: library === "cpu" ? "native-peak" : "peak", threads: 1 };
}

function rowOf(work: Work, { ours, peer, aim, stretch }: Pair, subjects: Subjects, rounds: readonly Round[]): Row {
  const floors = rounds.map((round) => (ours.threads * subjects.rate(round, peakOf(ours))) / operationsOf(work));
  return {
    name: work.model,
    work: work.kind === "max-average" ? `max-average PGD-${work.steps}` : work.kind,
    backend: ours.library,
    peer: peer.library === ours.library ? "1 thread" : peer.library,
    threads: ours.threads,
    batch: work.batch,
    ...compare(rounds.map((round) => ({ rate: subjects.rate(round, ours), peerRate: subjects.rate(round, peer) }))),
    aim: aim ?? null,
    stretch: stretch ?? null,
    floor: quantile(
      rounds.map((round, i) => subjects.rate(round, ours) / floors[i]!),
      0.5,
    ),
    unit: work.kind === "pgd-step" ? "image steps/s" : "images/s",
    note: "",
  };
}
