import { compare } from "../row.js";
import { secondsOf } from "../timing.js";
import type { Figure } from "./figure.js";
import type { Own, OwnJob } from "./own.js";
import type { Peaks, Pytorch } from "./pytorch.js";
import { floorOf, type GpuWork } from "./work.js";

/** What the works are measured by; without PyTorch there is no peer, and without peaks no share of them. */
export interface Sides {
  readonly own: Own;
  readonly pytorch: Pytorch | undefined;
  readonly peaks: Peaks | undefined;
}

export interface Effort {
  readonly rounds: number;
  /** Of either side in a round, at least. */
  readonly seconds: number;
  /** After so many seconds no further round begins, but for the second. */
  readonly most: number;
}

/** Differences of logits and losses, ‖ours − theirs‖ ÷ ‖theirs‖: both sides round, each in its own way. */
const TOLERANCE = { fp32: 1e-4, tf32: 1e-2, fp16: 1e-2, bf16: 5e-2 } as const;
/** Share of the pixels of attacked images that may differ, since the sign of a gradient near zero is chance. */
const UNSTABLE_PIXELS = { fp32: 0.01, tf32: 0.06, fp16: 0.06, bf16: 0.25 } as const;
/** Share of the images of max-average whose two worst candidates are so near that either may be kept. */
const TIED_IMAGES = 0.05;

/** @throws Error if our side fails. What the peer fails of is said in the note */
export async function measureWork(work: GpuWork, { own, pytorch, peaks }: Sides, effort: Effort): Promise<Figure> {
  const job = await own.prepare(work);
  try {
    const found = { ...(await compared(work, job, pytorch)) };
    const pairs = await alternate(work, job, found.timed ? pytorch : undefined, effort);
    const { rate, peerRate, ratio, spread } = compare(pairs);
    const floor = floorOf(work);
    const operations = peaks?.operations[work.precision];
    const peer = found.timed && pytorch !== undefined;
    return {
      model: work.model,
      work: describeWork(work),
      precision: work.precision,
      batch: work.batch,
      rate,
      peer: `PyTorch, ${work.peer}`,
      peerRate: peer ? peerRate : null,
      ratio: peer ? ratio : null,
      spread: peer ? spread : null,
      difference: found.difference,
      ofOperations: operations === undefined ? null : (rate * floor.operations) / operations,
      ofBytes: peaks === undefined ? null : (rate * floor.bytes) / peaks.bytes,
      note: found.note,
    };
  } finally {
    job.dispose();
  }
}

export function describeWork({ kind, steps, images, batch }: GpuWork): string {
  if (kind === "forward") return "forward";
  const all = images === batch ? "" : `, ${images} images`;
  return kind === "training" ? `adversarial training, ${steps} steps` : `PGD-${steps}, ${kind}${all}`;
}

interface Compared {
  /** Whether the peer's time counts. */
  readonly timed: boolean;
  readonly difference: number | null;
  readonly note: string;
}

/** Whether both sides compute the same. The order of calls: ours, then the peer's; the GPU is one. */
async function compared(work: GpuWork, job: OwnJob, pytorch: Pytorch | undefined): Promise<Compared> {
  const ours = await job.results();
  if (pytorch === undefined) return { timed: false, difference: null, note: "no PyTorch" };
  let theirs: Float32Array;
  try {
    theirs = await pytorch.prepare(work);
  } catch (error) {
    return { timed: false, difference: null, note: (error as Error).message };
  }
  const attacks = work.kind !== "forward" && work.kind !== "training";
  const ties = work.kind === "max-average" ? TIED_IMAGES : 0;
  const allowed = attacks ? UNSTABLE_PIXELS[work.precision] + ties : TOLERANCE[work.precision];
  // Losses after a step have been through an attack and an update.
  const most = work.kind === "training" ? Math.max(allowed, 1e-2) : allowed;
  const difference = attacks ? shareOfDifferent(ours, theirs) : distance(ours, theirs);
  if (difference <= most) return { timed: true, difference, note: "" };
  return { timed: false, difference, note: `not compared: outputs differ by more than ${most}` };
}

/** Share of the elements that are not the same but for rounding. */
function shareOfDifferent(ours: Float32Array, theirs: Float32Array): number {
  if (ours.length !== theirs.length) return Infinity;
  let different = 0;
  for (let i = 0; i < ours.length; i++) if (!(Math.abs(ours[i]! - theirs[i]!) <= 1e-5)) different++;
  return different / ours.length;
}

function distance(ours: Float32Array, theirs: Float32Array): number {
  if (ours.length !== theirs.length) return Infinity;
  let [error, norm] = [0, 0];
  for (let i = 0; i < ours.length; i++) {
    error += (ours[i]! - theirs[i]!) ** 2;
    norm += theirs[i]! ** 2;
  }
  const ratio = Math.sqrt(error / norm);
  return Number.isNaN(ratio) ? Infinity : ratio;
}

/** Pairs of rates, ours and then the peer's, and the other way round in the next round. */
async function alternate(
  { images }: GpuWork,
  job: OwnJob,
  pytorch: Pytorch | undefined,
  { rounds, seconds, most }: Effort,
): Promise<{ rate: number; peerRate: number }[]> {
  const ours = async (atLeast: number): Promise<number> => images / (await secondsOf(job.run, atLeast));
  const theirs = async (atLeast: number): Promise<number> =>
    pytorch === undefined ? Number.NaN : images / (await pytorch.seconds(atLeast));
  // Compilers, caches and clocks.
  await ours(0);
  await theirs(0);
  const pairs: { rate: number; peerRate: number }[] = [];
  const began = performance.now();
  for (let round = 0; round < rounds; round++) {
    if (round > 1 && performance.now() - began > 1e3 * most) break;
    if (round % 2 === 0) {
      const rate = await ours(seconds);
      pairs.push({ rate, peerRate: await theirs(seconds) });
    } else {
      const peerRate = await theirs(seconds);
      pairs.push({ rate: await ours(seconds), peerRate });
    }
  }
  return pairs;
}
