import type { AttackReport } from "../inference/index.js";
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
    ...worstText(report),
  ].join("\n");
}

function attackText({ attack }: EvaluationReport): string {
  if (attack === null) return "clean";
  const { method, form, norm, eps, members, exits } = attack;
  const aim = exits === undefined ? "" : `, aimed at exits ${exits.join(", ")}`;
  const size = `${norm === "l2" ? "L2, " : ""}ε ${significant(eps)}`;
  if (members !== undefined) {
    const names = members.map((member) => `${member.method.toUpperCase()} ${formName(member.form)}`);
    return `attacked by the worst of ${names.join(", ")} (${size}${aim})`;
  }
  return `attacked by ${method.toUpperCase()} ${formName(form)} (${size}, ${effortText(attack)}${aim})`;
}

function effortText({ step, steps, method, queries }: AttackReport): string {
  if (queries !== undefined) return `${queries.mean.toFixed(0)} queries an image, at most ${steps}`;
  return `${step > 0 && method !== "fgsm" ? `α ${significant(step)}, ` : ""}${steps} steps`;
}

function worstText({ adaptive: { worst } }: EvaluationReport): string[] {
  if (worst === undefined) return [];
  const { accuracy, lastExit, macs, saved } = worst;
  return [
    `Worst case: accuracy ${percent(accuracy)}; slowed down, ${percent(lastExit)} of the images take the whole network, at ${significant(macs.full)} · 10⁶ MACs an image, ${percent(saved.full)} of the full ledger saved.`,
  ];
}
