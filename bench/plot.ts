import { lineChart, seriesStyle, styleElement } from "./library.js";
import type { Sweep } from "./sweeps.js";

/** A sweep as an SVG file that needs no page around it. */
export function plotSweep({ title, x, log, series }: Sweep): string {
  const points = series.flatMap((each) => each.points);
  const xs = points.map((point) => point.x);
  const most = Math.max(...points.map(({ ms }) => ms));
  const chart = lineChart({
    title: `${title}: milliseconds an image against ${x}`,
    description: series.map(({ name, points }) => `${name}: ${points.map(describe).join(", ")}.`).join(" "),
    x: { label: x, domain: [Math.min(...xs), Math.max(...xs)], log, format: String },
    y: { label: "milliseconds an image", domain: [0, 1.05 * most], format: (ms) => String(ms) },
    series: series.map(({ name, points }, i) => ({
      name,
      style: seriesStyle(i),
      points: points.map(({ x, ms }) => ({ x, y: ms })),
      marks: points.map((point) => ({ x: point.x, y: point.ms, filled: true, label: `${name}: ${describe(point)}` })),
    })),
  });
  // A file of its own says which language it is in, and has its style inside.
  const begin = `<svg xmlns="http://www.w3.org/2000/svg" width="720" font-family="sans-serif" `;
  return `${String(chart)
    .replace("<svg ", begin)
    .replace(">", `>\n${String(styleElement())}`)}\n`;
}

function describe({ x, ms }: { readonly x: number; readonly ms: number }): string {
  return `${ms.toPrecision(3)} ms at ${x}`;
}
