import { Markup } from "./html.js";
import { SERIES_COLOURS } from "./palette.js";

const LIGHT = {
  paper: "#fdfdfc",
  raised: "#f3f3ef",
  ink: "#1b1e23",
  quiet: "#5d636d",
  hairline: "#dcdcd6",
  win: "#007d5a",
  loss: "#b84605",
};

const DARK: typeof LIGHT = {
  paper: "#14161a",
  raised: "#1e2127",
  ink: "#e7e8ea",
  quiet: "#a0a6b0",
  hairline: "#363b44",
  win: "#46cba2",
  loss: "#ff9c5e",
};

const SERIF = '"Iowan Old Style", "Palatino Linotype", Palatino, "URW Palladio L", P052, Georgia, serif';
const SANS = 'ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

const RULES = `
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 68rem; padding: 2.5rem clamp(1rem, 4vw, 2.5rem) 4rem;
  background: var(--paper); color: var(--ink); font: 1rem/1.55 ${SANS}; font-variant-numeric: tabular-nums;
}
h1, h2 { font-family: ${SERIF}; font-weight: 600; line-height: 1.2; text-wrap: balance; overflow-wrap: anywhere; }
h1 { font-size: clamp(1.7rem, 5vw, 2.5rem); margin: 0 0 .75rem; letter-spacing: -.01em; }
h2 { font-size: 1.5rem; margin: 0 0 1rem; }
h3 { font-size: .95rem; font-weight: 600; margin: 0 0 .5rem; }
p { margin: 0 0 .75rem; }
section { margin-top: 3rem; padding-top: 1.75rem; border-top: 1px solid var(--hairline); }
figure { margin: 0 0 1.5rem; }
figcaption, .caption { color: var(--quiet); font-size: .875rem; max-width: 46rem; margin-top: .9rem; text-wrap: pretty; }
.lede { max-width: 42rem; font-size: 1.06rem; color: var(--quiet); }
.quiet, .note { color: var(--quiet); font-size: .875em; }
.win { color: var(--win); font-weight: 700; }
.loss { color: var(--loss); font-weight: 700; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .9rem 1.5rem; margin: 1.5rem 0 0; }
dt { color: var(--quiet); font-size: .8rem; }
dd { margin: 0; overflow-wrap: anywhere; }

.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 16rem), 1fr)); gap: 1rem; margin: 1.25rem 0 1.75rem; }
.tile { background: var(--raised); border-radius: .5rem; padding: 1.1rem 1.25rem; break-inside: avoid; }
.tile p { margin: 0 0 .4rem; }
.tile p:last-child { margin: 0; }
.figure { display: block; font: 600 2.3rem/1.15 ${SERIF}; }

.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { text-align: left; vertical-align: baseline; padding: .4rem .8rem; font-weight: 400; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
thead th { color: var(--quiet); font-size: .8rem; vertical-align: bottom; border-bottom: 1px solid var(--hairline); }
.right { text-align: right; }
.results { width: 100%; min-width: 44rem; }
.results tbody tr + tr { border-top: 1px solid var(--hairline); }
.results .group { border-top: 1.5px solid var(--quiet); }
.results td:nth-child(4) { font-weight: 600; }

.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1.5rem 2.5rem; }
.panels > :only-child { max-width: 31rem; }
.chart { display: block; width: 100%; height: auto; font-size: 13px; overflow: visible; }
.chart text { fill: var(--quiet); }
.grid path { stroke: var(--hairline); stroke-width: 1; }
.grid .tick, .axis { stroke: var(--quiet); stroke-width: 1; }
.rule { stroke: var(--quiet); stroke-width: 1; stroke-dasharray: 1 3; }
.line { fill: none; stroke: var(--series); stroke-width: 2.2; stroke-linejoin: round; stroke-linecap: round; }
.mark { stroke: var(--series); stroke-width: 2; }
.mark.filled { fill: var(--series); stroke: var(--paper); }
.mark.hollow { fill: var(--paper); }
.key { width: 36px; height: 14px; vertical-align: -2px; overflow: visible; }
.keys { display: flex; flex-wrap: wrap; gap: .3rem 1.5rem; list-style: none; margin: 0 0 1rem; padding: 0; font-size: .9rem; }
.legend { margin: 0 0 1.25rem; }
.legend th, .legend td { padding-block: .2rem; }
.legend tbody td { white-space: nowrap; }
.mark-key { width: 14px; }

.bars { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .6rem 1.25rem; align-items: center; }
.bar-name { font-size: .9rem; overflow-wrap: anywhere; }
.bar, .bar-axis { display: block; width: 100%; font-size: 13px; print-color-adjust: exact; }
.bar { border-radius: 3px; }
.bar rect { stroke: var(--paper); stroke-width: 1.5; }
.bar-axis text { fill: var(--quiet); dominant-baseline: hanging; }
.swatch { width: 12px; height: 12px; vertical-align: -1px; }
details { margin-top: .75rem; font-size: .9rem; }
summary { cursor: pointer; color: var(--quiet); margin-bottom: .5rem; }

.gallery th, .gallery td { padding-block: .5rem; vertical-align: top; }
.gallery tbody th { font: 600 1.2rem/1.3 ${SERIF}; }
.gallery tbody tr + tr { border-top: 1px solid var(--hairline); }
.gallery p { margin: .3rem 0 0; line-height: 1.35; white-space: nowrap; }
.gallery p .quiet { display: block; }
.gallery img { width: 74px; height: auto; image-rendering: pixelated; display: block; border: 3px solid transparent; border-radius: 3px; }
.gallery img.wrong { border-color: var(--loss); }
.pair { display: flex; gap: .25rem; }
tr { break-inside: avoid; }
a:focus-visible, summary:focus-visible, .scroll:focus-visible { outline: 2px solid var(--ink); outline-offset: 3px; }

@media (max-width: 40rem) {
  .bars { grid-template-columns: 1fr; gap: .2rem; }
  .bar { margin-bottom: .6rem; }
  .pair { flex-direction: column; }
  .chart { font-size: 15px; }
  .legend { font-size: .8rem; }
  .gallery tbody th { font-size: 1rem; }
  .legend th .key { display: block; }
  th, td { padding-inline: .5rem; }
}
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  section { margin-top: 1.5rem; padding-top: 1rem; }
  figure, .tile { break-inside: avoid; }
  h2 { break-after: avoid; }
  details:not([open]) { display: none; }
  .scroll { overflow: visible; }
  .pair { flex-direction: column; }
  .gallery img { width: 56px; }
  .gallery td, .gallery th { padding-inline: .3rem; }
  .results { min-width: 0; font-size: .8rem; }
  .tiles { grid-template-columns: repeat(3, 1fr); }
  .panels { grid-template-columns: repeat(2, 1fr); gap: 1.5rem; }
  .tile { border: 1px solid var(--hairline); }
}
`;

/** The style sheet, with both colour schemes. Nothing in it comes from the data. */
export function styleElement(): Markup {
  const series = SERIES_COLOURS.map((_, i) => `.series-${i} { --series: var(--series-${i}); }`).join("\n");
  return new Markup(`<style>
:root { color-scheme: light dark; ${variables(LIGHT, 0)} }
@media (prefers-color-scheme: dark) { :root { ${variables(DARK, 1)} } }
${series}${RULES}</style>`);
}

/** A scheme as custom properties; `column` is its place in `SERIES_COLOURS`. */
function variables(scheme: typeof LIGHT, column: 0 | 1): string {
  return [
    ...Object.entries(scheme).map(([name, colour]) => `--${name}: ${colour};`),
    ...SERIES_COLOURS.map((colours, i) => `--series-${i}: ${colours[column]};`),
  ].join(" ");
}
