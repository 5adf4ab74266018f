import type { Evaluated } from "./evaluations.js";
import type { Agreement } from "./oracles.js";
import { referenceRuns, referenceThresholds, type ReferenceRun } from "./reference.js";

/** All that has been measured; docs/fidelity.json. */
export interface Measured {
  readonly thresholds?: readonly number[];
  readonly agreement: Readonly<Record<string, Agreement>>;
  readonly evaluations: Readonly<Record<string, Evaluated>>;
}

const percent = (fraction: number): string => (100 * fraction).toFixed(2);
const small = (value: number): string => (value === 0 ? "0" : value.toExponential(1));

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** The tables of docs/fidelity.md. */
export function page(measured: Measured): string {
  return [
    "### Tensors",
    agreementTable(Object.values(measured.agreement)),
    "### Test images",
    thresholdsText(measured.thresholds),
    evaluationTable(measured.evaluations),
    "### The exit policy chosen on training images",
    policyTable(measured.evaluations),
    "### Attacks of equal steps",
    strengthTable(measured.evaluations),
  ].join("\n\n");
}

function agreementTable(all: readonly Agreement[]): string {
  const rows: [string, string, (own: Agreement) => string][] = [
    ["logits of 7 exits, 16 images", "1e-4", ({ logits }) => small(logits)],
    ["entropies", "1e-4", ({ entropies }) => small(entropies)],
    [
      "input gradients, 8 images × (7 exits and their average): median; within 1e-4; worst",
      "1e-4",
      ({ gradients: { median, within, of, worst } }) => `${small(median)}; ${within} of ${of}; ${small(worst)}`,
    ],
    [
      "pixels that differ after 5 PGD steps against exit 1, 4, 7, the average",
      "1%",
      ({ pixels }) => pixels.map((fraction) => `${percent(fraction)}%`).join(", "),
    ],
    ["exits chosen by max-average", "the same", ({ chosen: { same, of } }) => `${same} of ${of}`],
    ["train-mode step: losses", "1e-3", ({ step }) => small(step.losses)],
    ["train-mode step: gradients of all parameters, worst", "1e-3", ({ step }) => small(step.gradients)],
    ["train-mode step: running statistics, worst", "1e-3", ({ step }) => small(step.statistics)],
    ["RDI-MobileNetV2: logits of 7 exits, 4 images", "1e-4", ({ mobilenet }) => small(mobilenet.logits)],
    ["RDI-MobileNetV2: loss", "1e-4", ({ mobilenet }) => small(mobilenet.loss)],
  ];
  return table(
    ["‖ours − PyTorch’s‖ ÷ ‖PyTorch’s‖", "aim", ...all.map(({ precision }) => `wasm, ${precision}`)],
    rows.map(([what, aim, cell]) => [what, aim, ...all.map(cell)]),
  );
}

function thresholdsText(thresholds: readonly number[] | undefined): string {
  if (thresholds === undefined) return "";
  const list = (values: readonly number[]): string => values.map((value) => value.toFixed(6)).join(" ");
  return `Thresholds of \`--calibrate paper\`: ${list(thresholds)}; PyTorch’s: ${list(referenceThresholds)}.`;
}

function evaluationTable(evaluations: Measured["evaluations"]): string {
  const rows = referenceRuns.flatMap((reference) => {
    const own = evaluations[reference.id];
    return own === undefined ? [] : [evaluationRow(reference, own)];
  });
  return table(
    [
      "images, attack (PGD-20)",
      "adaptive accuracy, ours / PyTorch’s, %",
      "exits 1 … 7, ours, %",
      "largest difference of an exit, images",
      "largest difference of a share, points",
      "MACs, paper’s, ours / PyTorch’s",
    ],
    rows,
  );
}

function evaluationRow(reference: ReferenceRun, own: Evaluated): string[] {
  const { images, form = "clean", data } = reference;
  const counts = reference.accuracies.map((accuracy) => Math.round((accuracy / 100) * images));
  const largest = (values: readonly number[]): number => Math.max(...values.map(Math.abs));
  return [
    `${images} ${data === "lossless" ? "lossless, " : ""}${form}`,
    `${percent(own.adaptive.accuracy)} / ${reference.adaptive.toFixed(2)}`,
    own.correct.map((count) => percent(count / images)).join(" "),
    String(largest(own.correct.map((count, k) => count - counts[k]!))),
    largest(own.shares.map((share, k) => 100 * share - reference.shares[k]!)).toFixed(2),
    `${own.adaptive.macs.paper.toFixed(2)} / ${reference.macs.toFixed(2)}`,
  ];
}

function policyTable(evaluations: Measured["evaluations"]): string {
  const rows = [
    ["the authors’, clean", "clean"],
    ["chosen, clean", "policy-clean"],
    ["the authors’, average PGD-20 at all exits", "average"],
    ["chosen, average PGD-20 at all exits", "policy-average-all"],
    ["chosen, average PGD-20 at its own exits", "policy-average-active"],
  ].flatMap(([what, id]) => {
    const own = evaluations[id!];
    if (own === undefined) return [];
    const { accuracy, saved } = own.adaptive;
    return [
      [what!, String(own.images), own.exits.join(" "), percent(accuracy), percent(saved.full), percent(saved.paper)],
    ];
  });
  return table(
    ["policy, images", "images", "exits", "accuracy, %", "saved, full ledger, %", "saved, paper’s, %"],
    rows,
  );
}

function strengthTable(evaluations: Measured["evaluations"]): string {
  const rows = Object.entries(evaluations)
    .filter(([id]) => id.startsWith("strength-"))
    .map(([id, { images, correct, adaptive, queries }]) => [
      id.slice("strength-".length),
      String(images),
      percent(correct.at(-1)! / images),
      percent(adaptive.accuracy),
      queries === undefined ? "" : queries.toFixed(0),
    ]);
  return table(
    ["attack on exit 7 (main), ε 8/255", "images", "exit 7, %", "adaptive, %", "queries an image, mean"],
    rows,
  );
}
