/**
 * What the authors' RDI-ResNet38 gives in PyTorch 1.13 (CPU, float32, eval mode), by their own evaluation procedure: percentages. Clean figures are of given images
 * and thresholds, so that ours must be the same; attacks begin at random, so that an independent run differs within its standard error.
 */
export interface ReferenceRun {
  readonly id: string;
  /** `test`: the first test records of the data folder; `lossless`: of those with lossless pixels. */
  readonly data: "test" | "lossless";
  readonly images: number;
  /** The form of the PGD-20 attack; none: clean. */
  readonly form?: string;
  readonly adaptive: number;
  /** Of exits 1 … 7. */
  readonly accuracies: readonly number[];
  readonly shares: readonly number[];
  /** In the paper's ledger. */
  readonly macs: number;
}

/** Of the authors: 1/7 of all 10,000 clean test images each, then lowered by hand. */
export const referenceThresholds = [0.324757, 0.448591, 0.42416, 0.831178, 1.086144, 1.344188];

/** The attack's settings, as the authors write them. */
export const referenceAttack = { eps: 0.03137, step: 0.00784, steps: 20 } as const;

export const referenceRuns: readonly ReferenceRun[] = [
  {
    id: "clean",
    data: "test",
    images: 10000,
    adaptive: 82.24,
    accuracies: [69.19, 73.3, 76.92, 78.9, 80.62, 83.16, 82.18],
    shares: [8.46, 10.88, 11.72, 22.53, 15.34, 16.35, 14.72],
    macs: 53.63,
  },
  {
    id: "lossless-clean",
    data: "lossless",
    images: 1017,
    adaptive: 84.37,
    accuracies: [72.27, 74.83, 80.24, 81.32, 81.71, 85.25, 84.76],
    shares: [8.95, 14.45, 11.21, 21.63, 14.26, 16.42, 13.08],
    macs: 52.25,
  },
  {
    id: "average",
    data: "test",
    images: 2048,
    form: "average",
    adaptive: 37.99,
    accuracies: [15.92, 17.92, 30.76, 34.86, 41.7, 41.75, 40.04],
    shares: [3.32, 7.42, 9.86, 22.17, 17.04, 22.8, 17.38],
    macs: 58.86,
  },
  {
    id: "max-average",
    data: "test",
    images: 1024,
    form: "max-average",
    adaptive: 38.87,
    accuracies: [37.3, 37.3, 44.63, 44.24, 45.51, 42.19, 42.09],
    shares: [2.05, 9.38, 11.62, 23.14, 20.51, 20.21, 13.09],
    macs: 57.15,
  },
  {
    id: "main",
    data: "test",
    images: 2048,
    form: "main",
    adaptive: 46.73,
    accuracies: [58.5, 58.5, 59.38, 59.42, 58.94, 40.04, 22.71],
    shares: [4.59, 6.45, 7.62, 21.39, 18.41, 27.25, 14.31],
    macs: 59.29,
  },
  {
    id: "single:1",
    data: "test",
    images: 2048,
    form: "single:1",
    adaptive: 66.6,
    accuracies: [5.86, 41.6, 57.37, 63.67, 67.24, 74.02, 73.63],
    shares: [11.13, 6.1, 9.81, 19.82, 14.89, 20.07, 18.16],
    macs: 55.83,
  },
  {
    id: "lossless-average",
    data: "lossless",
    images: 1017,
    form: "average",
    adaptive: 42.18,
    accuracies: [16.32, 20.26, 36.48, 38.15, 46.8, 45.23, 44.74],
    shares: [4.03, 7.28, 9.83, 24.09, 17.11, 21.53, 16.13],
    macs: 57.98,
  },
  {
    id: "lossless-main",
    data: "lossless",
    images: 1017,
    form: "main",
    adaptive: 51.23,
    accuracies: [60.77, 62.05, 63.62, 62.24, 61.46, 44.25, 26.25],
    shares: [5.6, 8.75, 8.36, 22.81, 18.49, 23.7, 12.29],
    macs: 56.93,
  },
];
