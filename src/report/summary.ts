import type { Comparison, ResultRow } from "./data.js";
import { formName, percent, points, significant } from "./format.js";
import { html, type Markup } from "./html.js";
import { htmlTable } from "./html-table.js";
import { resultTable } from "./table.js";
import { threeWins, type Duel } from "./wins.js";

/** The three wins, where there is a comparison, and the table of results. */
export function summarySection(rows: readonly ResultRow[], comparison: Comparison | undefined): Markup {
  return html`<section>
    <h2>Results</h2>
    ${comparison === undefined ? null : winTiles(rows, comparison)} ${htmlTable(resultTable(rows), "Table of results")}
    <p class="caption">
      Accuracy is the share of images classified correctly, adaptively where the network has exits. Cost is the mean
      number of multiply-accumulates (MACs) an image. Saved is the share of the plain backbone’s cost that was not
      spent, in the same ledger.
    </p>
  </section>`;
}

function winTiles(rows: readonly ResultRow[], comparison: Comparison): Markup {
  const { accuracy, robustness, saved, macs } = threeWins(rows, comparison);
  return html`<p>
      <strong>${comparison.dynamic}</strong> against <strong>${comparison.baseline}</strong>, the single-exit network
      trained with the same defence:
    </p>
    <div class="tiles">
      ${tile("Accuracy", percent(accuracy.dynamic), "on clean images", [
        html`${verdict(accuracy)} the single-exit network’s ${percent(accuracy.baseline)}`,
      ])}
      ${
        robustness
          ? tile(
              "Robustness",
              percent(robustness.dynamic),
              `under the worst attack, ${attackText(robustness.dynamicRow)}`,
              [
                html`${verdict(robustness)} the single-exit network’s ${percent(robustness.baseline)} under
                ${attackText(robustness.baselineRow)}`,
              ],
            )
          : null
      }
      ${tile("Efficiency", percent(saved.clean.full), "of the MACs saved on clean images", [
        html`${mark(saved.clean.full)} ${significant(macs.dynamic.full)} instead of ${significant(macs.baseline.full)}
        million MACs an image, all that ran counted`,
        saved.attacked ? underAttack(saved.attacked.full) : null,
      ])}
    </div>`;
}

function tile(name: string, value: string, what: string, notes: readonly (Markup | null)[]): Markup {
  return html`<div class="tile">
    <h3>${name}</h3>
    <p><strong class="figure">${value}</strong> ${what}</p>
    ${notes.map((note) => (note === null ? null : html`<p class="note">${note}</p>`))}
  </div>`;
}

function verdict({ dynamic, baseline }: Duel): Markup {
  const difference = dynamic - baseline;
  const text = points(difference);
  if (text === points(0)) return html`<span class="win">✓</span> equal to`;
  return html`${mark(difference)} ${text.replace(/^[+−]/, "")} ${difference > 0 ? "above" : "below"}`;
}

function mark(advantage: number): Markup {
  return advantage > 0 ? html`<span class="win">✓</span>` : html`<span class="loss">✗</span>`;
}

function attackText({ attack, form }: ResultRow): string {
  return `${attack.toUpperCase()} ${formName(form)}`;
}

/** Attacked images are less sure and leave later: they can cost more than the plain backbone, since the early heads run in vain. */
function underAttack(saved: number): Markup {
  return saved >= 0
    ? html`Under attack at least ${percent(saved)} saved`
    : html`Under attack, up to ${percent(-saved)} more than the plain backbone`;
}
