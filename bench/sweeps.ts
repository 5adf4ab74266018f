import { measure } from "./network/processes.js";
import type { Subject, Work } from "./network/protocol.js";
import { exitsOf, operationsOf, type ModelName } from "./network/workload.js";
import { peakOf } from "./network.js";
import type { Options } from "./options.js";
import { quantile } from "./row.js";

/** How the time of an image grows with something. */
export interface Sweep {
  /** What is done. */
  readonly title: string;
  /** What grows. */
  readonly x: string;
  /** Whether x is drawn on a logarithmic scale. */
  readonly log: boolean;
  readonly series: readonly SweepSeries[];
}

export interface SweepSeries {
  readonly name: string;
  /** Milliseconds an image: medians. */
  readonly points: readonly { readonly x: number; readonly ms: number }[];
}

/** Works that differ in x alone, by those who can do them. */
interface Plan extends Omit<Sweep, "series"> {
  readonly works: readonly (readonly [x: number, work: Work])[];
  readonly subjects: readonly Subject[];
}

const RESNET = "rdi-resnet38";
const BATCH = 32;
const CPU: Subject = { library: "cpu", threads: 1 };
const CPU_TWICE: Subject = { library: "cpu", threads: 2 };
const WASM: Subject = { library: "wasm", threads: 1 };
const ONNXRUNTIME: Subject = { library: "onnxruntime-node", threads: 1 };

const forward = (extra: Partial<Work>): Work => ({ kind: "forward", model: RESNET, batch: BATCH, steps: 1, ...extra });
const attack = (extra: Partial<Work>): Work => ({ ...forward({}), kind: "pgd-step", ...extra });

const DEPTHS: readonly (readonly [layers: number, model: ModelName])[] = [
  [38, "rdi-resnet38"],
  [74, "rdi-resnet74"],
  [110, "rdi-resnet110"],
  [152, "rdi-resnet152"],
];

function plans(): Plan[] {
  const exits = exitsOf({ model: RESNET });
  return [
    {
      title: "RDI-ResNet38, inference",
      x: "images of a batch",
      log: true,
      works: [1, 2, 4, 8, 16, 32, 64, 128].map((batch) => [batch, forward({ batch })] as const),
      subjects: [CPU, CPU_TWICE, WASM, ONNXRUNTIME],
    },
    {
      title: `RDI-ResNet38, inference up to one exit, ${BATCH} images`,
      x: "exit",
      log: false,
      works: exits.map((exit) => [exit, forward({ exit })] as const),
      subjects: [CPU, WASM, ONNXRUNTIME],
    },
    {
      title: `RDI-ResNet38, a step of PGD on one exit, ${BATCH} images`,
      x: "exit",
      log: false,
      works: exits.map((exit) => [exit, attack({ exit, steps: 2 })] as const),
      subjects: [CPU, WASM],
    },
    {
      title: `Inference with all exits, ${BATCH} images`,
      x: "layers",
      log: false,
      works: DEPTHS.map(([layers, model]) => [layers, forward({ model })] as const),
      subjects: [CPU, WASM, ONNXRUNTIME],
    },
    {
      title: `RDI-ResNet38, PGD of the average form, ${BATCH} images`,
      x: "steps",
      log: true,
      works: [1, 2, 5, 10, 20, 40].map((steps) => [steps, attack({ steps })] as const),
      subjects: [CPU, CPU_TWICE, WASM],
    },
  ];
}

/** How the time of an image grows with the batch, the exits, the depth and the steps, beside the floor. */
export async function benchSweeps({ quick }: Pick<Options, "quick">): Promise<Sweep[]> {
  const settings = { rounds: quick ? 3 : 9, seconds: quick ? 0.2 : 0.4 };
  const sweeps: Sweep[] = [];
  for (const { works, subjects, ...about } of plans()) {
    console.error(`  ${about.title}: ${about.x} ...`);
    const points: { readonly x: number; readonly ms: readonly number[]; readonly floor: number }[] = [];
    for (const [x, work] of works) points.push({ x, ...(await millisecondsOf(work, subjects, settings)) });
    const series = subjects.map((subject, i) => ({
      name: nameOf(subject),
      points: points.map(({ x, ms }) => ({ x, ms: ms[i]! })),
    }));
    const floor = { name: "floor, 1 thread", points: points.map(({ x, floor }) => ({ x, ms: floor })) };
    sweeps.push({ ...about, series: [...series, floor] });
  }
  return sweeps;
}

/** Of an image, of each subject; and what a core at the native peak would need for direct convolutions. */
async function millisecondsOf(
  work: Work,
  subjects: readonly Subject[],
  settings: Parameters<typeof measure>[2],
): Promise<{ ms: number[]; floor: number }> {
  const peak = peakOf(CPU);
  const rounds = await measure(work, [...subjects, peak], settings);
  // The rates of attacks are those of single steps.
  const units = work.kind === "pgd-step" ? work.steps : 1;
  const time = (subject: Subject): number =>
    quantile(
      rounds.map((round) => (1000 * units) / round.get(subject)!),
      0.5,
    );
  return { ms: subjects.map(time), floor: time(peak) * operationsOf(work) };
}

function nameOf({ library, threads }: Subject): string {
  return `${library}, ${threads} ${threads === 1 ? "thread" : "threads"}`;
}
