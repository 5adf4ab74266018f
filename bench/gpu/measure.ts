import { compare } from "../row.js";
import type { Figure, Peaks } from "./figure.js";
import type { Side } from "./side.js";
import { floorOf, type GpuWork } from "./work.js";

/** What the works are measured by; without PyTorch there is no peer, and without peaks no share of them. */
export interface Sides {
  readonly own: Side;
  readonly pytorch: Side | undefined;
  readonly peaks: Peaks | undefined;
}

export interface Effort {
  readonly rounds: number;
  /** Of either side in a round, at least. */
  readonly seconds: number;
  /** After so many seconds no further round begins. */
  readonly most: number;
}

/**
 * How far the peer's outputs may be from ours for its time to count: logits, and losses after an update, by ‖ours − theirs‖ ÷ ‖theirs‖; attacked images by the
 * share of the pixels that differ, since where a gradient is near zero rounding decides on its sign. An attack on something else moves about three pixels of four otherwise.
 * That both compute the same is for fp32 to show.
 */
const ALLOWED = {
  logits: { fp32: 1e-4, tf32: 1e-2, fp16: 1e-2, bf16: 5e-2 },
  losses: { fp32: 1e-2, tf32: 5e-2, fp16: 5e-2, bf16: 0.15 },
  pixels: { fp32: 0.01, tf32: 0.2, fp16: 0.2, bf16: 0.4 },
} as const;
/** Share of the images of max-average whose two worst candidates are so near that either may be kept. */
const TIED_IMAGES = 0.05;

/** @throws Error if our side fails. What the peer fails of is said in the note */
export async function measureWork(work: GpuWork, { own, pytorch, peaks }: Sides, effort: Effort): Promise<Figure> {
  const ours = await own.prepare(work);
  const { peer, difference, note } = await compared(work, ours, pytorch);
  const { rate, peerRate, ratio, spread } = compare(await alternate(work.images, own, peer, effort));
  const floor = floorOf(work);
  const operations = peaks?.operations[work.precision];
  return {
    model: work.model,
    work: describeWork(work),
    precision: work.precision,
    batch: work.batch,
    rate,
    peer: `PyTorch, ${work.peer}`,
    ...(peer === undefined ? { peerRate: null, ratio: null, spread: null } : { peerRate, ratio, spread }),
    difference,
    ofOperations: operations === undefined ? null : (rate * floor.operations) / operations,
    ofBytes: peaks === undefined ? null : (rate * floor.bytes) / peaks.bytes,
    note,
  };
}

export function describeWork({ kind, steps, images, batch }: GpuWork): string {
  if (kind === "forward") return "forward";
  const all = images === batch ? "" : `, ${images} images`;
  return kind === "training" ? `adversarial training, ${steps} steps` : `PGD-${steps}, ${kind}${all}`;
}

/** A side that has done the work once, and the seconds that it took. */
interface Peer {
  readonly side: Side;
  readonly first: number;
}

interface Compared {
  /** Undefined if the peer's time does not count. */
  readonly peer: Peer | undefined;
  readonly difference: number | null;
  readonly note: string;
}

/** Whether the peer computes the same. */
async function compared(work: GpuWork, ours: Float32Array, pytorch: Side | undefined): Promise<Compared> {
  if (pytorch === undefined) return { peer: undefined, difference: null, note: "no PyTorch" };
  let theirs: Float32Array;
  let first: number;
  try {
    theirs = await pytorch.prepare(work);
    first = await pytorch.seconds(0);
  } catch (error) {
    return { peer: undefined, difference: null, note: (error as Error).message };
  }
  const outputs = work.kind === "forward" ? "logits" : work.kind === "training" ? "losses" : "pixels";
  const most = ALLOWED[outputs][work.precision] + (work.kind === "max-average" ? TIED_IMAGES : 0);
  const difference = (outputs === "pixels" ? shareOfDifferent : distance)(ours, theirs);
  if (difference <= most) return { peer: { side: pytorch, first }, difference, note: "" };
  return { peer: undefined, difference, note: `not compared: outputs differ by more than ${most}` };
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
  images: number,
  own: Side,
  peer: Peer | undefined,
  { rounds, seconds, most }: Effort,
): Promise<{ rate: number; peerRate: number }[]> {
  const ours = async (): Promise<number> => images / (await own.seconds(seconds));
  const theirs = async (): Promise<number> =>
    peer === undefined ? Number.NaN : images / (await peer.side.seconds(seconds));
  // Counts only if there is no time for another: compilers, caches and clocks.
  const first = await own.seconds(0);
  const began = performance.now() - 1e3 * (first + (peer?.first ?? 0));
  const pairs: { rate: number; peerRate: number }[] = [];
  for (let round = 0; round < rounds && performance.now() - began < 1e3 * most; round++) {
    if (round % 2 === 0) {
      const rate = await ours();
      pairs.push({ rate, peerRate: await theirs() });
    } else {
      const peerRate = await theirs();
      pairs.push({ rate: await ours(), peerRate });
    }
  }
  return pairs.length > 0 ? pairs : [{ rate: images / first, peerRate: images / (peer?.first ?? Number.NaN) }];
}
