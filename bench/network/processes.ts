import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";

import type { Answer, Question, Subject, Work } from "./protocol.js";
import { comparedSteps } from "./workload.js";

/** Differences of outputs, in units of the largest. Losses after a step of training have been through two passes and an update. */
const TOLERANCE = { forward: 1e-4, "pgd-step": 1e-4, "max-average": 1e-4, "training-step": 1e-3 } as const;
/** Share of the pixels of an attacked image whose gradient may be so near zero that its sign is chance, a step. */
const UNSTABLE_PIXELS = 2e-3;
/** Share of the images of max-average whose two worst candidates are so near that either may be kept. */
const TIED_IMAGES = 0.05;
/** Node.js 20 has WebAssembly's relaxed SIMD behind it. */
const RELAXED_SIMD = "--experimental-wasm-relaxed-simd";

/** Units a second of each subject, round by round. */
export type Round = ReadonlyMap<Subject, number>;

/** Has every subject do the work in turn, each in a process of its own, `rounds` times for at least so many seconds each. */
export async function measure(
  work: Work,
  subjects: readonly Subject[],
  { rounds, seconds }: { readonly rounds: number; readonly seconds: number },
): Promise<Round[]> {
  // Those that are compared, with equal threads, are neighbours.
  const processes = [...subjects].sort((a, b) => a.threads - b.threads).map((subject) => new Process(subject));
  try {
    await expectSameOutputs(work, processes);
    // Until compilers have optimised all there is.
    await measureRound(processes, Math.min(seconds, 0.5));
    const results: Round[] = [];
    // There and back again, so that whoever comes first is not always the same.
    for (let round = 0; round < rounds; round++) results.push(await measureRound(processes.reverse(), seconds));
    return results;
  } finally {
    for (const process of processes) process.end();
  }
}

/** @throws Error, before anything is timed, if one of them computes something else */
async function expectSameOutputs(work: Work, subjects: readonly Process[]): Promise<void> {
  const { kind, steps } = work;
  let expected: Float32Array | undefined;
  for (const process of subjects) {
    const outputs = await process.prepare(work);
    if (process.subject.library.endsWith("peak")) continue;
    expected ??= outputs;
    const most = outputs.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    const differences = expected.filter(
      (value, i) => !(Math.abs(value - outputs[i]!) <= TOLERANCE[kind] * most),
    ).length;
    // One pixel that moves the other way changes the gradient of the steps after it.
    const allowed = allowedShare(kind) * comparedSteps(steps) * expected.length;
    if (outputs.length !== expected.length || most === 0 || differences > allowed) {
      throw new Error(
        `Expected the ${kind} of ${describe(process.subject)} to equal that of ${describe(subjects[0]!.subject)} but ${differences} of ${expected.length} outputs differ`,
      );
    }
  }
}

/** Of the outputs, after a step, those that may differ. */
function allowedShare(kind: Work["kind"]): number {
  if (kind === "max-average") return UNSTABLE_PIXELS + TIED_IMAGES;
  return kind === "pgd-step" ? UNSTABLE_PIXELS : 0;
}

async function measureRound(subjects: readonly Process[], seconds: number): Promise<Round> {
  const rates = new Map<Subject, number>();
  for (const process of subjects) rates.set(process.subject, await process.measure(seconds));
  return rates;
}

function describe({ library, threads }: Subject): string {
  return `${library} with ${threads} thread${threads > 1 ? "s" : ""}`;
}

/** A library in a process of its own. */
class Process {
  readonly #child: ChildProcess;

  constructor(readonly subject: Subject) {
    this.#child = fork(new URL("worker.js", import.meta.url), [JSON.stringify(subject)], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      ...(subject.library === "wasm-relaxed" && process.version.startsWith("v20.") && { execArgv: [RELAXED_SIMD] }),
    });
  }

  async prepare(work: Work): Promise<Float32Array> {
    const answer = await this.#ask({ ask: "prepare", work });
    if (answer.got !== "outputs") throw this.#unexpected(answer);
    return answer.outputs;
  }

  /** Units a second, over at least so many seconds. */
  async measure(seconds: number): Promise<number> {
    const answer = await this.#ask({ ask: "measure", seconds });
    if (answer.got !== "rate") throw this.#unexpected(answer);
    return answer.rate;
  }

  end(): void {
    this.#child.kill();
  }

  async #ask(question: Question): Promise<Answer> {
    this.#child.send(question);
    const ended = new AbortController();
    try {
      return await Promise.race([
        once(this.#child, "message", ended).then(([answer]) => answer as Answer),
        once(this.#child, "exit", ended).then((): Answer => ({ got: "error", message: "its process ended" })),
      ]);
    } finally {
      ended.abort();
    }
  }

  #unexpected(answer: Answer): Error {
    return new Error(`${describe(this.subject)} failed: ${answer.got === "error" ? answer.message : answer.got}`);
  }
}
