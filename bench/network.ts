import { instructionSetOf } from "./network/own.js";
import { measure, type Round } from "./network/processes.js";
import type { Subject, Work } from "./network/protocol.js";
import { hasPytorch } from "./network/pytorch.js";
import { operationsOf, type ModelName } from "./network/workload.js";
import { compare, type Row } from "./row.js";

const of = (library: Subject["library"], threads: readonly number[] = [1, 2]): Subject[] =>
  threads.map((count) => ({ library, threads: count }));

const cpu = of("cpu");
const wasm = of("wasm");
const peak = of("peak", [1]);
const nativePeak = of("native-peak", [1]);
const tfjs = of("tfjs-wasm", [1]);
const onnxruntimeWeb = of("onnxruntime-web");
const onnxruntimeNode = of("onnxruntime-node");
const pytorch = of("pytorch");

/** A work, and those who do it: us, and the peers that each of ours is compared with. */
interface Group {
  readonly work: Work;
  readonly ours: readonly Subject[];
  readonly peers: readonly Subject[];
}

const MODELS: readonly ModelName[] = ["rdi-smallcnn", "rdi-resnet38"];

/** TensorFlow.js takes seconds for the gradients of a large batch, so it gets a small one, and so do we. */
const wasmGroups: readonly Group[] = [
  { work: work("forward", 256), ours: wasm, peers: [...peak, ...tfjs, ...onnxruntimeWeb] },
  { work: work("pgd-step", 256, "rdi-smallcnn", 10), ours: wasm, peers: peak },
  { work: work("pgd-step", 32), ours: wasm, peers: tfjs },
  { work: work("training-step", 256), ours: wasm, peers: peak },
];

const cpuGroups: readonly Group[] = MODELS.flatMap((model) => [
  { work: work("forward", 1, model), ours: cpu, peers: [...wasm, ...onnxruntimeNode, ...pytorch, ...nativePeak] },
  { work: work("forward", 128, model), ours: cpu, peers: [...wasm, ...onnxruntimeNode, ...pytorch, ...nativePeak] },
  { work: work("pgd-step", 1, model, 10), ours: cpu, peers: [...wasm, ...pytorch, ...nativePeak] },
  { work: work("pgd-step", 128, model, 2), ours: cpu, peers: [...wasm, ...pytorch, ...nativePeak] },
  { work: work("training-step", 128, model), ours: cpu, peers: [...wasm, ...pytorch, ...nativePeak] },
]);

function work(kind: Work["kind"], batch: number, model: ModelName = "rdi-smallcnn", steps = 1): Work {
  return { kind, batch, model, steps };
}

const FORWARD_AIM = 2;

/** Units a second of every work, each library in a process of its own, one after the other in every round. */
export async function benchNetwork(options: { readonly quick: boolean }): Promise<Row[]> {
  return rowsOf(wasmGroups, options);
}

/** The same of the native backend, beside native peers. `RDI_ISA` forces the instruction set, which the rows name. */
export async function benchCpu(options: { readonly quick: boolean }): Promise<Row[]> {
  const note = await instructionSetOf("cpu");
  const groups = (await hasPytorch()) ? cpuGroups : cpuGroups.map((group) => without("pytorch", group));
  return (await rowsOf(groups, options)).map((row) => ({ ...row, note }));
}

function without(library: Subject["library"], group: Group): Group {
  return { ...group, peers: group.peers.filter((peer) => peer.library !== library) };
}

async function rowsOf(groups: readonly Group[], { quick }: { readonly quick: boolean }): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { work, ours, peers } of groups) {
    const settings = { rounds: quick ? 5 : 15, seconds: quick ? 0.3 : 0.5 };
    const rounds = await measure(work, [...ours, ...peers], settings);
    for (const peer of peers) rows.push(...ours.flatMap((subject) => row(work, subject, peer, rounds)));
  }
  return rows;
}

/** Our rate against the peer's; nothing if the peer has other threads than we, and could have as many. */
function row(work: Work, subject: Subject, peer: Subject, rounds: readonly Round[]): Row[] {
  const isPeak = peer.library.endsWith("peak");
  const alone = isPeak || peer.library === "tfjs-wasm";
  if (!alone && peer.threads !== subject.threads) return [];
  // A peak's units are operations, and it has one thread: as many cores do as many times the work.
  const scale = isPeak ? subject.threads / operationsOf(work) : 1;
  const pairs = rounds.map((rates) => ({ rate: rates.get(subject)!, peerRate: scale * rates.get(peer)! }));
  return [
    {
      name: work.model,
      work: work.kind,
      backend: subject.library,
      peer: peer.library,
      threads: subject.threads,
      batch: work.batch,
      ...compare(pairs),
      aim: peer.library === "tfjs-wasm" && work.kind === "forward" ? FORWARD_AIM : null,
      unit: "images/s",
      note:
        isPeak || !alone || peer.threads === subject.threads
          ? ""
          : "the peer has one thread: its others do not start in Node.js",
    },
  ];
}
