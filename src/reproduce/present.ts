import { formName, LEDGERS, percent, setting, significant } from "../report/format.js";
import { markdownTable, renderReport, type ExitShares, type Table, type TrainingLog } from "../report/index.js";
import { CLEAN, type NamedCell, type NetworkResult, type TableCell, type TableResult } from "./results.js";

const ABSENT = "–";

/** A line for each network and form of attack: accuracy and cost on clean images and under the attack, and the settings that they hold for. */
export function resultLines({ settings, networks }: TableResult): Table {
  const ledgers = [...LEDGERS].reverse();
  return {
    columns: [
      { title: "Network", align: "left" },
      { title: "Defence", align: "left" },
      { title: "Attack", align: "left" },
      { title: "TA", align: "right" },
      { title: "ATA", align: "right" },
      { title: "MFlops, clean (paper)", align: "right" },
      { title: "MFlops, attacked (paper)", align: "right" },
      ...ledgers.flatMap(({ name }) => [
        { title: `Saved, ${name}, clean`, align: "right" as const },
        { title: `Saved, ${name}, attacked`, align: "right" as const },
      ]),
      { title: "Settings", align: "left" },
    ],
    rows: networks.flatMap((network) => {
      const clean = measured(network.cells.find(({ form }) => form === CLEAN));
      return network.cells
        .filter(({ form }) => form !== CLEAN)
        .map((named) => {
          const cell = measured(named);
          const both = (text: (cell: TableCell) => string): string[] =>
            [clean, cell].map((one) => (one === undefined ? ABSENT : text(one)));
          return [
            network.model,
            network.defence,
            `${settings.method.toUpperCase()} ${formName(named.form)}`,
            ...both(({ accuracy }) => percent(accuracy, 2)),
            ...both(({ macs }) => significant(macs.paper)),
            ...ledgers.flatMap(({ key }) => both(({ saved }) => percent(saved[key]))),
            [clean && countText(clean, "clean"), cellText(named), network.sha256 && weightsText(network)]
              .filter(Boolean)
              .join("; "),
          ];
        });
    }),
  };
}

function measured(cell: NamedCell | undefined): TableCell | undefined {
  return cell === undefined || "missing" in cell ? undefined : cell;
}

function countText({ images }: TableCell, kind: string): string {
  return `${images} ${kind} images`;
}

function cellText(cell: NamedCell): string {
  if ("missing" in cell) return `missing: ${cell.missing}`;
  return [countText(cell, "attacked"), attackText(cell), `rdi-net ${cell.version}`].join("; ");
}

function attackText({ attack }: TableCell): string {
  const { eps, step, steps, randomStart, seed } = attack!;
  return [
    `ε ${setting(eps)}`,
    ...(step > 0 ? [`α ${setting(step)}`] : []),
    `${steps} ${steps === 1 ? "step" : "steps"}`,
    randomStart ? `random start of seed ${seed}` : "no random start",
  ].join(", ");
}

function weightsText({ sha256, policy }: NetworkResult): string {
  const { exits, thresholds } = policy!;
  const leaving = thresholds.length === 0 ? "" : `exits ${exits.join(" ")} at ${thresholds.map(setting).join(" ")}; `;
  return `${leaving}weights ${sha256!.slice(0, 12)}`;
}

const CAPTION =
  "TA is the accuracy on clean test images, ATA that under attack, both adaptive where the network has exits. MFlops are mean " +
  "multiply-accumulates of an image in the paper’s ledger (convolutions alone, without earlier branches, in 2²⁰). Saved is the share of the " +
  "plain backbone’s cost that was not spent: in the paper’s ledger, and in the full one, which counts everything that ran.";

/** What holds for the whole table. */
function settingsText({ settings }: TableResult): Record<string, string | number> {
  return {
    Table: settings.table,
    Attack: settings.method.toUpperCase(),
    Thresholds: THRESHOLDS[settings.calibrate] ?? settings.calibrate,
    "Clean images": settings.cleanImages,
    "Attacked images": settings.attackedImages,
    Seed: settings.seed,
    Backend: settings.backend,
  };
}

const THRESHOLDS: Readonly<Record<string, string>> = {
  paper: "paper: equal shares, chosen on the test images themselves, as the authors do",
  equal: "equal shares, chosen on held-out images",
  weights: "as in the weights",
};

export function markdownPage(result: TableResult): string {
  const facts = Object.entries({ Data: result.settings.dataset, ...settingsText(result) });
  return (
    [
      `# ${result.title}`,
      facts.map(([name, value]) => `- ${name}: ${setting(value)}`).join("\n"),
      markdownTable(resultLines(result)).trimEnd(),
      CAPTION,
      "",
    ]
      .join("\n\n")
      .trimEnd() + "\n"
  );
}

/** `report.html`: the table, where the images leave, and the training that made the networks. */
export function reportPage(result: TableResult, training: readonly TrainingLog[]): string {
  return renderReport({
    title: result.title,
    dataset: result.settings.dataset,
    settings: settingsText(result),
    tables: [{ title: "Results", table: resultLines(result), caption: CAPTION }],
    exitShares: result.networks.flatMap(exitShares),
    training,
  });
}

function exitShares({ model, defence, cells }: NetworkResult): ExitShares[] {
  return cells.flatMap((named) => {
    const cell = measured(named);
    if (cell === undefined || cell.exits.length === 1) return [];
    return {
      name: `${model}, ${defence}: ${formName(named.form)}`,
      shares: cell.exits.map(({ share }) => share),
      accuracies: cell.exits.map(({ accuracy }) => accuracy),
    };
  });
}
