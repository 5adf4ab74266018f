import type { Own, Subject, Work } from "./network/protocol.js";
import type { ModelName } from "./network/workload.js";

/** A work, and who is compared in it. */
export interface Comparison {
  readonly work: Work;
  readonly pairs: readonly Pair[];
}

export interface Pair {
  readonly ours: Subject;
  readonly peer: Subject;
  /** Ours to the peer's rate, at least. */
  readonly aim?: number;
  /** What we would like. */
  readonly stretch?: number;
}

const RESNET = "rdi-resnet38";
const OTHERS = ["rdi-smallcnn", "rdi-mobilenetv2"] as const;
const THREADS = [1, 2] as const;
/** Steps of a whole attack, and its images: PyTorch takes seconds for each. */
const MAX_AVERAGE = { steps: 20, batch: 16 };

function work(model: ModelName, kind: Work["kind"], batch: number, steps = 1): Work {
  return { kind, model, batch, steps };
}

type Goals = Pick<Pair, "aim" | "stretch">;

/** One of ours beside a peer, with equal threads. */
function beside(ours: Own, peer: Subject["library"], goals: Goals = {}, threads: readonly number[] = THREADS): Pair[] {
  return threads.map((count) => ({
    ours: { library: ours, threads: count },
    peer: { library: peer, threads: count },
    ...goals,
  }));
}

/** Two threads beside one. */
function twice(ours: Own): Pair {
  return { ours: { library: ours, threads: 2 }, peer: { library: ours, threads: 1 }, aim: 1.85 };
}

/** The native backend beside native peers. */
export function cpuComparisons(): Comparison[] {
  const goals = (aim: number, stretch: number): Goals => ({ aim, stretch });
  return [
    {
      work: work(RESNET, "forward", 128),
      pairs: [...beside("cpu", "onnxruntime-node", goals(2.5, 3.2)), ...beside("cpu", "pytorch"), twice("cpu")],
    },
    {
      work: work(RESNET, "forward", 1),
      pairs: [...beside("cpu", "onnxruntime-node", goals(2.2, 3)), ...beside("cpu", "pytorch")],
    },
    { work: work(RESNET, "pgd-step", 128, 2), pairs: [...beside("cpu", "pytorch", goals(3.3, 4.2)), twice("cpu")] },
    { work: work(RESNET, "training-step", 128), pairs: [...beside("cpu", "pytorch", goals(2.3, 3.2)), twice("cpu")] },
    {
      work: work(RESNET, "max-average", MAX_AVERAGE.batch, MAX_AVERAGE.steps),
      pairs: beside("cpu", "pytorch", goals(6, 10)),
    },
    ...OTHERS.flatMap((model): Comparison[] => [
      { work: work(model, "forward", 128), pairs: [...beside("cpu", "onnxruntime-node", { aim: 2 }), twice("cpu")] },
      { work: work(model, "forward", 1), pairs: beside("cpu", "onnxruntime-node", { aim: 2 }) },
      { work: work(model, "pgd-step", 128, 2), pairs: [...beside("cpu", "pytorch", { aim: 2.5 }), twice("cpu")] },
      { work: work(model, "training-step", 128), pairs: [...beside("cpu", "pytorch", { aim: 2 }), twice("cpu")] },
    ]),
  ];
}

/** WebAssembly beside peers in WebAssembly. TensorFlow.js has one thread in Node.js, and takes seconds for the gradients of a large batch. */
export function wasmComparisons(): Comparison[] {
  const both = (peer: Subject["library"], plain: Goals, relaxed: Goals, threads?: readonly number[]): Pair[] => [
    ...beside("wasm", peer, plain, threads),
    ...beside("wasm-relaxed", peer, relaxed, threads),
  ];
  return [
    {
      work: work(RESNET, "forward", 32),
      pairs: [
        ...both("onnxruntime-web", { aim: 4.5, stretch: 5.5 }, { aim: 5.5, stretch: 6.5 }),
        twice("wasm-relaxed"),
      ],
    },
    { work: work("resnet38", "forward", 32), pairs: both("tfjs-wasm", { aim: 4.5 }, { aim: 4.5 }, [1]) },
    { work: work(RESNET, "pgd-step", 8), pairs: both("tfjs-wasm", { aim: 30 }, { aim: 30 }, [1]) },
    { work: work(RESNET, "training-step", 32), pairs: beside("wasm-relaxed", "cpu", { aim: 0.35 }, [1]) },
    ...OTHERS.map((model): Comparison => ({
      work: work(model, "forward", 32),
      pairs: both("onnxruntime-web", { aim: 2 }, { aim: 2 }),
    })),
    {
      work: work("rdi-smallcnn", "pgd-step", 32),
      pairs: both("tfjs-wasm", { aim: 2.5 }, { aim: 2.5 }, [1]),
    },
  ];
}
