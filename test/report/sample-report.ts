import type { GalleryImage, ReportData, ResultRow, TrainingPoint } from "../../src/report/index.js";
import { Random } from "../../src/util/random.js";

/** A report with every part filled in, of the size that a real one has. The numbers are invented but plausible. */
export function sampleReport(): ReportData {
  const random = new Random(7);
  const backbone = { paper: 8.82, full: 9.52 };
  const row = (model: string, attack: string, form: string, accuracy: number, cost: number): ResultRow => ({
    model,
    attack,
    form,
    accuracy,
    macs: { paper: backbone.paper * cost ** 1.2, full: backbone.full * cost },
    saved: { paper: 1 - cost ** 1.2, full: 1 - cost },
  });
  const curve = (name: string, top: number, operating: number, alone: number) => ({
    name,
    points: Array.from({ length: 24 }, (_, i) => {
      const t = i / 23;
      const full = backbone.full * (0.12 + 1.02 * t);
      return { accuracy: top - 0.22 * (1 - t) ** 5, macs: { paper: full * (0.4 + 0.52 * t), full } };
    }),
    operating: { accuracy: operating, macs: { paper: 3.67, full: 5.33 } },
    baseline: { accuracy: alone, macs: backbone },
  });
  const log = (exits: number, points: number): TrainingPoint[] =>
    Array.from({ length: points }, (_, i) => {
      const t = i / points;
      const noise = 1 + 0.15 * random.normal();
      const lossClean = (2.2 * Math.exp(-9 * t) + 0.06) * noise;
      const lossAdversarial = (2.2 * Math.exp(-5 * t) + 0.35) * noise;
      return {
        iteration: i + 1,
        loss: (exits * (lossClean + lossAdversarial)) / 2,
        lossClean,
        lossAdversarial,
        learningRate: t < 0.75 ? 0.033 : t < 0.92 ? 0.0033 : 0.00033,
        ...(i % 100 === 99 ? { validationAccuracy: 0.985 - 0.6 * Math.exp(-(5 + exits) * t) } : {}),
      };
    });
  return {
    title: "Quick start: an RDI-SmallCNN against a defended SmallCNN",
    generated: "2025-01-31T12:00:00Z",
    model: "rdi-smallcnn",
    dataset: "digits",
    settings: {
      Images: 1000,
      Backend: "wasm",
      Threads: 2,
      Attack: "PGD, ε 0.3, step 0.01",
      Steps: 40,
      Seed: 0,
      "Training time": "3 min 12 s",
    },
    rows: [
      row("smallcnn", "none", "clean", 0.979, 1),
      row("smallcnn", "pgd", "main", 0.871, 1),
      row("rdi-smallcnn", "none", "clean", 0.981, 0.56),
      row("rdi-smallcnn", "pgd", "main", 0.931, 0.61),
      row("rdi-smallcnn", "pgd", "average", 0.893, 0.68),
      row("rdi-smallcnn", "pgd", "max-average", 0.888, 0.7),
      row("rdi-smallcnn", "pgd", "single:1", 0.902, 0.72),
    ],
    comparison: { dynamic: "rdi-smallcnn", baseline: "smallcnn" },
    curves: [
      curve("clean", 0.984, 0.981, 0.979),
      curve("PGD-40, average", 0.9, 0.893, 0.868),
      curve("PGD-40, max-average", 0.893, 0.882, 0.86),
    ],
    exitShares: [
      { name: "clean", shares: [0.62, 0.283, 0.097], accuracies: [0.951, 0.976, 0.982] },
      { name: "PGD-40, single(1)", shares: [0.303, 0.4, 0.297] },
      { name: "PGD-40, average", shares: [0.352, 0.33, 0.318] },
      { name: "PGD-40, max-average", shares: [0.05, 0.41, 0.54] },
    ],
    training: [
      { name: "smallcnn", log: log(1, 900) },
      { name: "rdi-smallcnn", log: log(3, 900) },
    ],
    gallery: {
      shape: [1, 28, 28],
      samples: [3, 7, 0, 8].map((label) => ({ label, images: galleryImages(label, random) })),
    },
  };
}

/** A ring or a bar on black, clean and with random changes in ±0.3. */
function galleryImages(label: number, random: Random): GalleryImage[] {
  const clean = Float32Array.from({ length: 28 * 28 }, (_, i) => {
    const [y, x] = [Math.floor(i / 28) - 13.5, (i % 28) - 13.5];
    const distance =
      label % 2 === 0 ? Math.abs(Math.hypot(x, y * 0.8) - 7) : Math.abs(x + y / 3) + Math.max(0, Math.abs(y) - 9);
    return Math.min(1, Math.max(0, 2.2 - distance));
  });
  return ["clean", "main", "average", "max-average", "single:1"].map((form, i) => ({
    form,
    pixels:
      form === "clean"
        ? clean
        : clean.map((value) => Math.min(1, Math.max(0, value + 0.3 * Math.sign(random.uniform() - 0.5)))),
    exit: 1 + ((label + i) % 3),
    predicted: (label + i) % 5 === 4 ? (label + 5) % 10 : label,
    entropy: 0.02 + 0.21 * i,
  }));
}
