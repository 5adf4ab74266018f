import { costCurvesSection } from "./cost-curves.js";
import type { ReportData } from "./data.js";
import { exitSharesSection } from "./exit-shares.js";
import { setting } from "./format.js";
import { gallerySection } from "./gallery.js";
import { tableSection } from "./html-table.js";
import { html, type Content, type Markup } from "./html.js";
import { styleElement } from "./style.js";
import { summarySection } from "./summary.js";
import { trainingSection } from "./training-curves.js";

export type * from "./data.js";
export { markdownTable, resultTable, type Table, type TableColumn } from "./table.js";
export { threeWins, type Duel, type Wins } from "./wins.js";

/** The page may use what stands in it and nothing else: its own styles and images, no script, no request. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/**
 * A report as one HTML page that needs nothing but itself: no script, no request, styles and images inline. It follows the
 * reader's light or dark scheme, fits phones and prints. The same data gives the same page, byte for byte.
 *
 * @throws ArgumentError if `comparison` names a model without a row for clean images, or gallery pixels do not fit their shape
 */
export function renderReport(data: ReportData): string {
  const { rows = [], tables = [], comparison } = data;
  const curves = (data.curves ?? []).filter(
    ({ points, operating, baseline }) => points.length > 0 || operating || baseline,
  );
  const exitShares = (data.exitShares ?? []).filter(({ shares }) => shares.length > 0);
  const training = (data.training ?? []).filter(({ log }) => log.length > 0);
  const samples = (data.gallery?.samples ?? []).filter(({ images }) => images.length > 0);
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${POLICY}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="generator" content="rdi-net" />
        <link rel="icon" href="data:," />
        <title>${data.title}</title>
        ${styleElement()}
      </head>
      <body>
        ${header(data)}
        <main>
          ${rows.length > 0 ? summarySection(rows, comparison) : null} ${tables.map(tableSection)}
          ${curves.length > 0 ? costCurvesSection(curves) : null}
          ${exitShares.length > 0 ? exitSharesSection(exitShares) : null}
          ${data.gallery && samples.length > 0 ? gallerySection(data.gallery.shape, samples) : null}
          ${training.length > 0 ? trainingSection(training) : null}
        </main>
      </body>
    </html> `;
  return page.text;
}

function header({ title, generated, model, dataset, settings = {} }: ReportData): Markup {
  const facts: [name: string, value: Content][] = [];
  if (model !== undefined) facts.push(["Model", model]);
  if (dataset !== undefined) facts.push(["Data", dataset]);
  for (const [name, value] of Object.entries(settings)) facts.push([name, setting(value)]);
  if (generated !== undefined)
    facts.push([
      "Made",
      html`<time datetime="${generated}">${generated.replace(/^(.{10})T(\d\d:\d\d).*Z$/, "$1 $2 UTC")}</time>`,
    ]);
  return html`<header>
    <h1>${title}</h1>
    <p class="lede">
      Robust dynamic inference: an image leaves the network at the first exit that is sure of it, so easy images cost
      less, and training on adversarial images makes every exit hard to fool.
    </p>
    ${
      facts.length > 0
        ? html`<dl>
            ${facts.map(
              ([name, value]) =>
                html`<div>
                  <dt>${name}</dt>
                  <dd>${value}</dd>
                </div>`,
            )}
          </dl>`
        : null
    }
  </header>`;
}
