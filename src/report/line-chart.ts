import { scaleLinear, scaleLog } from "d3-scale";
import { line, symbol } from "d3-shape";
import { html, type Markup } from "./html.js";
import type { SeriesStyle } from "./palette.js";

export interface LineChart {
  /** What the chart is and what it shows, for those who cannot see it. */
  readonly title: string;
  readonly description: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly LineSeries[];
  /** Places on the x axis worth a line of their own. */
  readonly rules?: readonly { readonly at: number; readonly label: string }[];
}

export interface Axis {
  /** Quantity and unit. */
  readonly label: string;
  readonly domain: readonly [number, number];
  /** Logarithmic; linear by default. */
  readonly log?: boolean;
  readonly format: (value: number) => string;
}

export interface LineSeries {
  readonly name: string;
  readonly style: SeriesStyle;
  readonly points: readonly Point[];
  readonly marks?: readonly Mark[];
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Mark extends Point {
  readonly label: string;
  readonly filled: boolean;
}

/** In units of the view box; the page scales it to the width of its panel. */
const SIZE = { width: 480, height: 330 };
const INNER = { left: 50, right: 466, top: 46, bottom: 284 };
const MARK_AREA = 72;
const TICKS = 5;
/** Half the width of the longest label of a rule. */
const RULE_LABEL_ROOM = 48;

/** An SVG line chart that scales with its container. Points outside the domains are drawn outside: choose domains that hold them. */
export function lineChart(chart: LineChart): Markup {
  const x = scaleOf(chart.x, [INNER.left, INNER.right]);
  const y = scaleOf(chart.y, [INNER.bottom, INNER.top]);
  const path = line<Point>(
    (point) => x(point.x),
    (point) => y(point.y),
  ).digits(1);
  return html`<svg class="chart" viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img">
    <title>${chart.title}</title>
    <desc>${chart.description}</desc>
    <g class="grid">
      ${ticksOf(chart.y, y).map((tick) => yTick(y(tick), chart.y.format(tick)))}
      ${ticksOf(chart.x, x).map((tick) => xTick(x(tick), chart.x.format(tick)))}
    </g>
    <path class="axis" d="M${INNER.left},${INNER.bottom}H${INNER.right}" />
    <text class="axis-label" x="0" y="14">${chart.y.label}</text>
    <text class="axis-label" x="${INNER.right}" y="${INNER.bottom + 40}" text-anchor="end">${chart.x.label}</text>
    ${(chart.rules ?? []).map(({ at, label }) => rule(x(at), label))}
    ${chart.series.map(({ points, style }) =>
      points.length === 0
        ? null
        : html`<path class="line ${style.className}" stroke-dasharray="${style.dash}" d="${path(points) ?? ""}" />`,
    )}
    ${chart.series.map(({ marks = [], style }) =>
      marks.map(
        (mark) =>
          html`<g transform="translate(${x(mark.x).toFixed(1)},${y(mark.y).toFixed(1)})">
            ${markShape(style, mark.filled, mark.label)}
          </g>`,
      ),
    )}
  </svg>`;
}

/** A short piece of a series' line with its mark, for a legend; marks as in the chart. */
export function legendKey(style: SeriesStyle, kind: "line" | "line and mark" | "hollow mark"): Markup {
  const mark = html`<g transform="translate(18,7)">${markShape(style, kind === "line and mark", null)}</g>`;
  if (kind === "hollow mark")
    return html`<svg class="key mark-key" viewBox="11 0 14 14" aria-hidden="true">${mark}</svg>`;
  return html`<svg class="key" viewBox="0 0 36 14" aria-hidden="true">
    <path class="line ${style.className}" stroke-dasharray="${style.dash}" d="M1,7H35" />
    ${kind === "line" ? null : mark}
  </svg>`;
}

function markShape(style: SeriesStyle, filled: boolean, label: string | null): Markup {
  const d = symbol(style.symbol, MARK_AREA).digits(2)() ?? "";
  return html`<path class="mark ${filled ? "filled" : "hollow"} ${style.className}" d="${d}">
    ${label === null ? null : html`<title>${label}</title>`}
  </path>`;
}

function scaleOf(axis: Axis, range: [number, number]) {
  return axis.log === true ? scaleLog(axis.domain, range) : scaleLinear(axis.domain, range);
}

function ticksOf(axis: Axis, scale: ReturnType<typeof scaleOf>): number[] {
  if (axis.log !== true) return scale.ticks(TICKS);
  // Decades and their 1-2-5 divisions; a logarithmic scale otherwise marks all nine.
  return scale.ticks(TICKS).filter((tick) => /^[125]/.test(tick.toExponential()));
}

function yTick(y: number, label: string): Markup {
  return html`<path d="M${INNER.left},${y.toFixed(1)}H${INNER.right}" />
    <text x="${INNER.left - 8}" y="${y.toFixed(1)}" dy="0.32em" text-anchor="end">${label}</text>`;
}

function xTick(x: number, label: string): Markup {
  return html`<path class="tick" d="M${x.toFixed(1)},${INNER.bottom}v5" />
    <text x="${x.toFixed(1)}" y="${INNER.bottom + 19}" text-anchor="middle">${label}</text>`;
}

/** A vertical line with its label above the plot, kept inside the chart. */
function rule(x: number, label: string): Markup {
  const anchor = x < INNER.left + RULE_LABEL_ROOM ? "start" : x > INNER.right - RULE_LABEL_ROOM ? "end" : "middle";
  return html`<path class="rule" d="M${x.toFixed(1)},${INNER.top - 6}V${INNER.bottom}" />
    <text x="${x.toFixed(1)}" y="${INNER.top - 12}" text-anchor="${anchor}">${label}</text>`;
}
