import type { ImageShape } from "../data/pixels.js";
import type { Macs } from "../graph/cost.js";
import type { Table } from "./table.js";

/** What a report tells. Every part but the title is optional, and a part that is left out, or empty, leaves no trace. */
export interface ReportData {
  readonly title: string;
  /** ISO 8601 date or time; leave it out for a report that is the same whenever it is made. */
  readonly generated?: string;
  readonly model?: string;
  readonly dataset?: string;
  /** Anything else worth stating about the run, by name. */
  readonly settings?: Readonly<Record<string, string | number>>;
  readonly rows?: readonly ResultRow[];
  /** Tables of any other form, each under its own heading. */
  readonly tables?: readonly ReportTable[];
  /** Which models of `rows` to compare; both must have rows for clean images. */
  readonly comparison?: Comparison;
  /** Accuracy against cost as the exit thresholds sweep, a curve for clean images and one for each attack. */
  readonly curves?: readonly CostCurve[];
  readonly exitShares?: readonly ExitShares[];
  /** A log for each network trained. */
  readonly training?: readonly TrainingLog[];
  readonly gallery?: Gallery;
}

export interface ReportTable {
  readonly title: string;
  readonly table: Table;
  readonly caption?: string;
}

/** A model under one attack: a row of the table. */
export interface ResultRow {
  readonly model: string;
  /** "none" for clean images, else the method: "pgd", "fgsm", "wrm". */
  readonly attack: string;
  /** "clean" for clean images, else "main", "single:2", "average", "max-average". */
  readonly form: string;
  /** Fraction of images classified correctly, adaptively where the model has exits. */
  readonly accuracy: number;
  /** Mean cost of an image. */
  readonly macs: Macs;
  /** Fraction of the plain backbone's cost that is saved, in the same ledger; negative if it costs more. */
  readonly saved: Macs;
}

/** The models to weigh against each other, by their names in the rows. */
export interface Comparison {
  readonly dynamic: string;
  /** The single-exit network, trained with the same defence. */
  readonly baseline: string;
}

/** Accuracy (a fraction) at a mean cost of an image. */
export interface CostPoint {
  readonly accuracy: number;
  readonly macs: Macs;
}

export interface CostCurve {
  /** What the images went through: "clean", "PGD-40, average". */
  readonly name: string;
  /** In the order of the sweep. */
  readonly points: readonly CostPoint[];
  /** Where the calibrated thresholds lie. */
  readonly operating?: CostPoint;
  /** The plain, single-exit backbone under the same images or attack. */
  readonly baseline?: CostPoint;
}

export interface ExitShares {
  readonly name: string;
  /** Fraction of the images that leaves at each exit, first exit first; they sum to one. */
  readonly shares: readonly number[];
  /** Accuracy of each exit over all images. */
  readonly accuracies?: readonly number[];
}

export interface TrainingLog {
  readonly name: string;
  readonly log: readonly TrainingPoint[];
}

/** A line of a training log. Losses are in nats, of one batch. */
export interface TrainingPoint {
  readonly iteration: number;
  /** What is minimised: the sum over the exits, by their weights. */
  readonly loss: number;
  /** Means over the exits. */
  readonly lossClean?: number;
  readonly lossAdversarial?: number;
  readonly learningRate?: number;
  /** Of the last exit on clean held-out images, a fraction. */
  readonly validationAccuracy?: number;
}

export interface Gallery {
  readonly shape: ImageShape;
  readonly samples: readonly GallerySample[];
}

export interface GallerySample {
  /** The true class. */
  readonly label: string | number;
  readonly images: readonly GalleryImage[];
}

export interface GalleryImage {
  /** "clean", or the attack form: "average", "max-average", "main", "single:1". */
  readonly form: string;
  /** In [0, 1], channels × height × width. */
  readonly pixels: Float32Array;
  /** Number of the exit that it left at, from 1. */
  readonly exit: number;
  readonly predicted: string | number;
  /** Softmax entropy at that exit, in nats. */
  readonly entropy: number;
}
