import { extent, max, mean } from "d3-array";
import { accuracyDomain } from "./cost-curves.js";
import type { TrainingLog, TrainingPoint } from "./data.js";
import { percent, setting } from "./format.js";
import { html, type Markup } from "./html.js";
import { legendKey, lineChart, type LineSeries, type Point } from "./line-chart.js";
import { seriesStyle, type SeriesStyle } from "./palette.js";

/** More points than this on a line are averaged in groups: the noise of single batches hides the trend. */
const MAX_POINTS = 120;
/** A loss that spans more than this factor is drawn on a logarithmic scale. */
const LOG_FACTOR = 8;

const LOSSES = [
  { key: "lossClean", name: "clean images", style: seriesStyle(0) },
  { key: "lossAdversarial", name: "adversarial images", style: seriesStyle(1) },
] as const;

/** Loss against iteration, a panel for each network, and validation accuracy where it was measured. */
export function trainingSection(logs: readonly TrainingLog[]): Markup {
  const drawn = LOSSES.filter(({ key }) => logs.some(({ log }) => log.some((point) => point[key] !== undefined)));
  const what = drawn.length > 0 ? "mean over the exits" : "weighted sum over the exits";
  return html`<section>
    <h2>Training</h2>
    <figure>
      ${
        drawn.length > 0
          ? html`<ul class="keys">
              ${drawn.map(({ name, style }) => html`<li>${legendKey(style, "line")} ${name}</li>`)}
            </ul>`
          : null
      }
      <div class="panels">${logs.map(lossPanel)}</div>
      <figcaption>
        Training loss (cross-entropy in nats, ${what}) against the iteration. ${groupText(logs)}
        ${logs.some(({ log }) => learningRateDrops(log).length > 0) ? "Dotted lines mark where the learning rate was divided." : null}
      </figcaption>
    </figure>
    ${validationFigure(logs)}
  </section>`;
}

function lossPanel({ name, log }: TrainingLog): Markup {
  const parts = LOSSES.map(({ key, name, style }) => lossSeries(name, style, log, (point) => point[key])).filter(
    hasPoints,
  );
  const series =
    parts.length > 0 ? parts : [lossSeries("loss", seriesStyle(0), log, (point) => point.loss)].filter(hasPoints);
  const [low = 0, high = 1] = extent(series.flatMap(({ points }) => points.map(({ y }) => y)));
  const logarithmic = low > 0 && high / low > LOG_FACTOR;
  return html`<div>
    <h3>${name}</h3>
    ${lineChart({
      title: `Training loss of ${name}`,
      description: series.map(describeLoss).join(" "),
      x: iterationAxis(log),
      y: {
        label: logarithmic ? "loss (nats), logarithmic" : "loss (nats)",
        domain: logarithmic ? [low / 1.1, high * 1.1] : [Math.min(0, low), high > 0 ? high * 1.05 : 1],
        log: logarithmic,
        format: setting,
      },
      series,
      rules: learningRateDrops(log),
    })}
  </div>`;
}

function validationFigure(logs: readonly TrainingLog[]): Markup | null {
  const series = logs
    .map((log, i): LineSeries => ({
      name: log.name,
      style: seriesStyle(i),
      points: pointsOf(log.log, (p) => p.validationAccuracy),
    }))
    .filter(hasPoints);
  if (series.length === 0) return null;
  return html`<figure>
    <ul class="keys">
      ${series.map(({ style, name }) => html`<li>${legendKey(style, "line")} ${name}</li>`)}
    </ul>
    <div class="panels">
      ${lineChart({
        title: "Validation accuracy",
        description: series.map(({ name, points }) => `${name}: ${percent(points.at(-1)!.y)} at the end.`).join(" "),
        x: iterationAxis(logs.flatMap(({ log }) => log)),
        y: {
          label: "validation accuracy",
          domain: accuracyDomain(series.flatMap(({ points }) => points.map(({ y }) => y))),
          format: (value) => percent(value, 0),
        },
        series,
      })}
    </div>
    <figcaption>
      Accuracy of the last exit on clean held-out images (share classified correctly) against the iteration.
    </figcaption>
  </figure>`;
}

function lossSeries(
  name: string,
  style: SeriesStyle,
  log: readonly TrainingPoint[],
  value: (point: TrainingPoint) => number | undefined,
): LineSeries {
  return { name, style, points: thin(pointsOf(log, value)) };
}

/** The points where `value` was logged, and finite: a diverged loss has no place on an axis. */
function pointsOf(log: readonly TrainingPoint[], value: (point: TrainingPoint) => number | undefined): Point[] {
  return log.flatMap((point) => {
    const y = value(point);
    return y !== undefined && Number.isFinite(y) ? [{ x: point.iteration, y }] : [];
  });
}

/** Means of groups of consecutive points, so few that the line is readable. */
function thin(points: readonly Point[]): Point[] {
  const size = groupSize(points.length);
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const group = points.slice(i * size, (i + 1) * size);
    return { x: mean(group, ({ x }) => x)!, y: mean(group, ({ y }) => y)! };
  });
}

function groupSize(points: number): number {
  return Math.max(1, Math.ceil(points / MAX_POINTS));
}

function groupText(logs: readonly TrainingLog[]): string {
  const size = max(logs, ({ log }) => groupSize(log.length)) ?? 1;
  return size === 1 ? "" : `Each point is the mean of up to ${size} logged values.`;
}

function learningRateDrops(log: readonly TrainingPoint[]): { at: number; label: string }[] {
  return log.flatMap((point, i) => {
    const before = log[i - 1]?.learningRate;
    const rate = point.learningRate;
    // A step of a schedule, not the smooth decay of another.
    const fell = before !== undefined && rate !== undefined && rate <= before / 2;
    return fell ? [{ at: point.iteration, label: `÷${setting(Math.round(before / rate))}` }] : [];
  });
}

function iterationAxis(log: readonly TrainingPoint[]) {
  const last = max(log, ({ iteration }) => iteration) ?? 0;
  return {
    label: "iteration",
    domain: [0, Math.max(1, last)] as const,
    format: (value: number) => value.toLocaleString("en"),
  };
}

function describeLoss({ name, points }: LineSeries): string {
  return `${name}: from ${points[0]!.y.toFixed(3)} to ${points.at(-1)!.y.toFixed(3)} nats.`;
}

function hasPoints({ points }: LineSeries): boolean {
  return points.length > 0;
}
