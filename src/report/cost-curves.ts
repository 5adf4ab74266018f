import { extent, max } from "d3-array";
import type { Macs } from "../graph/cost.js";
import type { CostCurve, CostPoint } from "./data.js";
import { LEDGERS, percent, significant } from "./format.js";
import { html, type Markup } from "./html.js";
import { legendKey, lineChart, type Mark } from "./line-chart.js";
import { seriesStyle } from "./palette.js";

/** Accuracy against cost, a panel for each ledger, with operating points and the plain backbone marked. */
export function costCurvesSection(curves: readonly CostCurve[]): Markup {
  return html`<section>
    <h2>Accuracy against cost</h2>
    <figure>
      ${legend(curves)}
      <div class="panels">${LEDGERS.map(({ key, name, unit }) => panel(curves, key, name, unit))}</div>
      <figcaption>
        Accuracy (share of images classified correctly) against the mean cost of an image, as the exit thresholds sweep
        from leaving early, on the left, to leaving late. ${marksText(curves)} The full ledger counts every
        multiply-accumulate (MAC) that ran, in millions; the paper’s counts convolutions only, without the branches of
        exits that were passed, in units of 2²⁰.
      </figcaption>
    </figure>
  </section>`;
}

function panel(curves: readonly CostCurve[], ledger: keyof Macs, name: string, unit: string): Markup {
  const x = (point: CostPoint) => point.macs[ledger];
  const all = curves.flatMap((curve) => [...curve.points, ...marked(curve)]);
  const backbones = [...new Set(curves.flatMap(({ baseline }) => (baseline ? [x(baseline)] : [])))];
  return html`<div>
    <h3>${name === "full" ? "Full ledger" : "Paper’s ledger"}</h3>
    ${lineChart({
      title: `Accuracy against mean cost, ${name} ledger`,
      description: curves.map((curve) => describe(curve, x, unit)).join(" "),
      x: { label: `mean cost of an image (${unit})`, domain: [0, 1.06 * (max(all, x) || 1)], format: significantTick },
      y: {
        label: "accuracy",
        domain: accuracyDomain(all.map((point) => point.accuracy)),
        format: (value) => percent(value, 0),
      },
      series: curves.map((curve, i) => ({
        name: curve.name,
        style: seriesStyle(i),
        points: curve.points.map((point) => ({ x: x(point), y: point.accuracy })),
        marks: marks(curve, x, unit),
      })),
      rules: backbones.map((at) => ({ at, label: "plain backbone" })),
    })}
  </div>`;
}

/** From a round tenth below the lowest to one above the highest, so that differences show; within [0, 1]. */
export function accuracyDomain(accuracies: readonly number[]): [number, number] {
  const [low = 0, high = 1] = extent(accuracies);
  const bottom = Math.max(0, Math.floor(10 * low - 0.2) / 10);
  return [bottom, Math.max(Math.min(1, Math.ceil(10 * high + 0.1) / 10), bottom + 0.1)];
}

function marked({ operating, baseline }: CostCurve): CostPoint[] {
  return [operating, baseline].filter((point) => point !== undefined);
}

function marks({ name, operating, baseline }: CostCurve, x: (point: CostPoint) => number, unit: string): Mark[] {
  const mark = (point: CostPoint | undefined, what: string, filled: boolean): Mark[] =>
    point ? [{ x: x(point), y: point.accuracy, filled, label: `${name}, ${what}: ${at(point, x)} ${unit}` }] : [];
  return [...mark(baseline, "plain backbone", false), ...mark(operating, "operating point", true)];
}

function at(point: CostPoint, x: (point: CostPoint) => number): string {
  return `${percent(point.accuracy)} at ${significant(x(point))}`;
}

function describe(
  { name, points, operating, baseline }: CostCurve,
  x: (point: CostPoint) => number,
  unit: string,
): string {
  const [first, last] = [points[0], points.at(-1)];
  const parts = [
    first && last ? `from ${at(first, x)} to ${at(last, x)} ${unit}` : null,
    operating ? `operating point ${at(operating, x)}` : null,
    baseline ? `plain backbone ${at(baseline, x)}` : null,
  ];
  return `${name}: ${parts.filter((part) => part !== null).join("; ")}.`;
}

function legend(curves: readonly CostCurve[]): Markup {
  const full = (point: CostPoint) => point.macs.full;
  const columns = [
    { key: "operating", title: "Operating point" },
    { key: "baseline", title: "Plain backbone" },
  ] as const;
  const shown = columns.filter(({ key }) => curves.some((curve) => curve[key] !== undefined));
  return html`<table class="legend">
    <thead>
      <tr>
        <th scope="col">Images</th>
        ${shown.map(({ title }) => html`<th scope="col">${title}</th>`)}
      </tr>
    </thead>
    <tbody>
      ${curves.map((curve, i) => {
        const { operating } = curve;
        return html`<tr>
          <th scope="row">${legendKey(seriesStyle(i), operating ? "line and mark" : "line")} ${curve.name}</th>
          ${shown.map(({ key }) => {
            const point = curve[key];
            const mark = key === "baseline" ? legendKey(seriesStyle(i), "hollow mark") : null;
            return html`<td>${point ? html`${mark} ${at(point, full)} M` : "–"}</td>`;
          })}
        </tr>`;
      })}
    </tbody>
  </table>`;
}

function marksText(curves: readonly CostCurve[]): string {
  const parts = [
    curves.some(({ operating }) => operating) ? "filled the network at its calibrated thresholds" : null,
    curves.some(({ baseline }) => baseline) ? "hollow the plain, single-exit backbone" : null,
  ].filter((part) => part !== null);
  if (parts.length === 0) return "";
  return `Marks: ${parts.join(", ")}; above, their accuracy at their cost in the full ledger (M: 10⁶ MACs).`;
}

function significantTick(value: number): string {
  return String(Number(value.toPrecision(3)));
}
