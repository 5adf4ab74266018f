import type { Attack } from "../attacks/index.js";
import { slice, type Dataset } from "../data/dataset.js";
import { evaluate, sweep, type EvaluationSample, type ExitDetails, type ExitPolicy } from "../inference/index.js";
import { costOfExits } from "../nn/exit-model.js";
import type { Network } from "../nn/network.js";
import type { CostCurve, ExitShares, Gallery, GalleryImage, ResultRow } from "../report/index.js";

/** What a network makes of images, clean and under each attack: the parts of a report. */
export interface Study {
  /** Clean first, then in the order of the attacks. */
  readonly rows: readonly ResultRow[];
  /** Of clean images and of the attacks by the first attack's method; none of a network with one exit. */
  readonly curves: readonly CostCurve[];
  readonly exitShares: readonly ExitShares[];
  readonly gallery: Gallery;
}

export interface StudyOptions {
  readonly policy: ExitPolicy;
  readonly dataset: Dataset;
  readonly attacks: readonly Attack[];
  /** How many images of the dataset, from the first on, are classified clean, and how many the attacks get. */
  readonly cleanImages: number;
  readonly attackedImages: number;
  /** How many images to show. */
  readonly samples: number;
  /** In attacked images, those of every attack counted: clean ones take next to no time. */
  readonly onProgress: (done: number, total: number, detail: string) => void;
}

/** The names of the forms of attack that a network with so many exits can meet; that of the last exit alone is `main`. */
export function formsFor(exits: number): string[] {
  if (exits === 1) return ["main"];
  return [...Array.from({ length: exits - 1 }, (_, i) => `single:${i + 1}`), "main", "average", "max-average"];
}

/** Of a curve of accuracy against cost. */
export const SWEEP_POINTS = 41;

export async function study(net: Network, options: StudyOptions): Promise<Study> {
  const { policy, dataset, attacks, cleanImages, attackedImages, samples, onProgress } = options;
  const { model } = net;
  const macs = costOfExits(model);
  const rows: ResultRow[] = [];
  const curves: CostCurve[] = [];
  const exitShares: ExitShares[] = [];
  const shown: ShownImage[] = [];
  const total = attacks.length * Math.min(attackedImages, dataset.length);
  let before = 0;
  let clean: ExitDetails | undefined;
  for (const attack of [undefined, ...attacks]) {
    const name = attack === undefined ? "clean" : attackName(attack);
    const images = slice(dataset, 0, attack === undefined ? cleanImages : attackedImages);
    onProgress(before, total, name);
    const { details, exits, adaptive } = await evaluate(net, images, {
      policy,
      ...(attack && { attack }),
      ...(attack && { onProgress: (done: number) => onProgress(before + done, total, name) }),
      keep: (sample) => {
        if (sample.index < samples) show(shown, sample, attack, dataset.classNames);
      },
    });
    if (attack !== undefined) before += images.length;
    clean ??= details;
    rows.push({
      model: model.name,
      ...rowName(attack),
      accuracy: adaptive.accuracy,
      macs: adaptive.macs,
      saved: adaptive.saved,
    });
    if (model.exits === 1) continue;
    exitShares.push({
      name,
      shares: exits.map(({ share }) => share),
      accuracies: exits.map(({ accuracy }) => accuracy),
    });
    if (attack === undefined || attack.method.name === attacks[0]?.method.name)
      curves.push({ name, points: sweep(details, macs, SWEEP_POINTS, clean), operating: adaptive });
  }
  return { rows, curves, exitShares, gallery: { shape: model.inputShape, samples: shown } };
}

interface ShownImage {
  readonly label: number | string;
  readonly images: GalleryImage[];
}

/** Adds an image to the gallery: the clean ones come first, and of several methods with one form the first is shown. */
function show(
  shown: ShownImage[],
  sample: EvaluationSample,
  attack: Attack | undefined,
  classNames: Dataset["classNames"],
): void {
  const { index, label, image, exit, prediction, entropy } = sample;
  const nameOf = (label: number): number | string => classNames?.[label] ?? label;
  const form = attack?.form ?? "clean";
  const { images } = (shown[index] ??= { label: nameOf(label), images: [] });
  if (images.some((other) => other.form === form)) return;
  images.push({ form, pixels: image.slice(), exit, predicted: nameOf(prediction), entropy });
}

/** `PGD-40, average`. */
function attackName({ form, method }: Attack): string {
  const steps = method.name === "fgsm" ? "" : `-${method.steps}`;
  return `${method.name.toUpperCase()}${steps}, ${form}`;
}

function rowName(attack: Attack | undefined): { readonly attack: string; readonly form: string } {
  return attack === undefined ? { attack: "none", form: "none" } : { attack: attack.method.name, form: attack.form };
}
