import { formName, percent, significant } from "../report/format.js";
import type { EvaluationReport } from "./evaluate.js";
import { duration, table } from "./output.js";

/** An evaluation for people. */
export function evaluationText(report: EvaluationReport): string {
  const { model, dataset, images, backend, threads, exits, adaptive } = report;
  return [
    `${model} on ${images} images of ${dataset}, ${attackText(report)} (${backend}, ${threads} ${threads === 1 ? "thread" : "threads"}, ${duration(report.seconds)})`,
    table(
      ["", "accuracy", "loss", "images that leave", "MACs, full (10⁶)", "MACs, paper (2²⁰)"],
      [
        ...exits.map(({ exit, accuracy, loss, share, macs }) => [
          `exit ${exit}`,
          percent(accuracy),
          loss.toFixed(4),
          percent(share),
          significant(macs.full),
          significant(macs.paper),
        ]),
        [
          "adaptive",
          percent(adaptive.accuracy),
          "",
          "",
          significant(adaptive.macs.full),
          significant(adaptive.macs.paper),
        ],
      ],
    ),
    `Saved against the plain backbone: ${percent(adaptive.saved.full)} of the full ledger, ${percent(adaptive.saved.paper)} of the paper's.`,
  ].join("\n");
}

function attackText({ attack }: EvaluationReport): string {
  if (attack === null) return "clean";
  const { method, form, eps, step, steps } = attack;
  const settings = [`ε ${significant(eps)}`, ...(method === "pgd" ? [`α ${significant(step)}`] : []), `${steps} steps`];
  return `attacked by ${method.toUpperCase()} ${formName(form)} (${settings.join(", ")})`;
}
