import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";

import type { Answer, Question, Subject, Work } from "./network/protocol.js";
import { model, operationsOf } from "./network/workload.js";
import { compare, type Row } from "./row.js";

const ours = [1, 2].map((threads): Subject => ({ library: "wasm", threads }));
const peak: Subject = { library: "peak", threads: 1 };
const tfjs: Subject = { library: "tfjs-wasm", threads: 1 };
const onnxruntime = [1, 2].map((threads): Subject => ({ library: "onnxruntime-web", threads }));

/** A work, and those who can do it. TensorFlow.js takes seconds for the gradients of a large batch, so it gets a small one, and so do we. */
const groups: readonly { readonly work: Work; readonly peers: readonly Subject[] }[] = [
  { work: { kind: "forward", batch: 256, steps: 1 }, peers: [peak, tfjs, ...onnxruntime] },
  { work: { kind: "pgd-step", batch: 256, steps: 10 }, peers: [peak] },
  { work: { kind: "pgd-step", batch: 32, steps: 1 }, peers: [tfjs] },
  { work: { kind: "training-step", batch: 256, steps: 1 }, peers: [peak] },
];

const FORWARD_AIM = 2;
/** Differences of outputs, in units of the largest. */
const TOLERANCE = 1e-4;
/** Share of the pixels of an attacked image whose gradient may be so near zero that its sign is chance. */
const UNSTABLE_PIXELS = 1e-3;

/** Units a second of every work, each library in a process of its own, one after the other in every round. */
export async function benchNetwork({ quick }: { readonly quick: boolean }): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { work, peers } of groups) {
    const subjects = [...ours, ...peers].map((subject) => new Process(subject));
    try {
      await expectSameOutputs(work, subjects);
      // Until compilers have optimised all there is.
      await measureRound(subjects, 0.5);
      const rounds: Map<Subject, number>[] = [];
      for (let r = 0; r < (quick ? 3 : 21); r++) rounds.push(await measureRound(subjects, quick ? 0.2 : 0.5));
      for (const peer of peers) rows.push(...ours.flatMap((subject) => row(work, subject, peer, rounds)));
    } finally {
      for (const subject of subjects) subject.end();
    }
  }
  return rows;
}

/** Our rate against the peer's; nothing if the peer has other threads than we, and could have as many. */
function row(work: Work, subject: Subject, peer: Subject, rounds: readonly ReadonlyMap<Subject, number>[]): Row[] {
  if (peer.library === "onnxruntime-web" && peer.threads !== subject.threads) return [];
  // The peak's units are operations, and it has one thread: as many cores do as many times the work.
  const scale = peer === peak ? subject.threads / operationsOf(work.kind) : 1;
  const pairs = rounds.map((rates) => ({ rate: rates.get(subject)!, peerRate: scale * rates.get(peer)! }));
  return [
    {
      name: model.name,
      work: work.kind,
      backend: subject.library,
      peer: peer.library,
      threads: subject.threads,
      batch: work.batch,
      ...compare(pairs),
      aim: peer === tfjs && work.kind === "forward" ? FORWARD_AIM : null,
      unit: "images/s",
      note:
        peer === peak || peer.threads === subject.threads
          ? ""
          : "the peer has one thread: its others do not start in Node.js",
    },
  ];
}

/** @throws Error, before anything is timed, if one of them computes something else */
async function expectSameOutputs({ kind, batch, steps }: Work, subjects: readonly Process[]): Promise<void> {
  let expected: Float32Array | undefined;
  for (const process of subjects) {
    const outputs = await process.prepare({ kind, batch, steps });
    if (process.subject === peak) continue;
    expected ??= outputs;
    const most = outputs.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    const differences = expected.filter((value, i) => !(Math.abs(value - outputs[i]!) <= TOLERANCE * most)).length;
    // One pixel that moves the other way changes the gradient of the steps after it.
    const allowed = kind === "pgd-step" ? UNSTABLE_PIXELS * steps * expected.length : 0;
    if (outputs.length !== expected.length || most === 0 || differences > allowed) {
      throw new Error(
        `Expected the ${kind} of ${describe(process.subject)} to equal that of ${describe(subjects[0]!.subject)} but ${differences} of ${expected.length} outputs differ`,
      );
    }
  }
}

async function measureRound(subjects: readonly Process[], seconds: number): Promise<Map<Subject, number>> {
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
    this.#child = fork(new URL("network/worker.js", import.meta.url), [JSON.stringify(subject)], {
      serialization: "advanced",
      stdio: ["ignore", "ignore", "inherit", "ipc"],
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
