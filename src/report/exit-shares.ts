import { max } from "d3-array";
import { stack } from "d3-shape";
import type { ExitShares } from "./data.js";
import { percent } from "./format.js";
import { html, type Markup } from "./html.js";
import { exitColour } from "./palette.js";

/** Below this share a segment is too narrow, on a small screen, for its number. */
const LABELLED_SHARE = 0.08;
const BAR_HEIGHT = 26;

/** A bar for each set of images, cut into the exits that they left at, and the numbers as a table. */
export function exitSharesSection(rows: readonly ExitShares[]): Markup {
  const exits = max(rows, ({ shares }) => shares.length) ?? 0;
  const numbers = Array.from({ length: exits }, (_, i) => i + 1);
  return html`<section>
    <h2>Where images leave</h2>
    <figure>
      <ul class="keys">
        ${numbers.map((exit) => html`<li>${swatch(exit, exits)} exit ${exit}${exit === exits && exits > 1 ? " (last)" : ""}</li>`)}
      </ul>
      ${bars(rows, numbers)}
      <figcaption>
        Share of the images (percent) that leaves at each exit, at the calibrated thresholds, for clean images and under
        each attack. The earlier an image leaves, the less it costs.
      </figcaption>
      <details>
        <summary>Numbers</summary>
        ${numbersTable(rows, numbers)}
      </details>
    </figure>
  </section>`;
}

function bars(rows: readonly ExitShares[], exits: readonly number[]): Markup {
  const layers = stack<ExitShares, number>()
    .keys(exits)
    .value(({ shares }, exit) => shares[exit - 1] ?? 0)([...rows]);
  return html`<div class="bars">
    ${rows.map(
      ({ name, shares }, row) =>
        html`<span class="bar-name">${name}</span>
          <svg class="bar" height="${BAR_HEIGHT}" role="img">
            <title>${name}: ${shares.map((share, i) => `exit ${i + 1} ${percent(share)}`).join(", ")}</title>
            ${layers.map((layer, i) => {
              const [from, to] = layer[row]!;
              return to > from ? segment(exits[i]!, exits.length, from, to) : null;
            })}
          </svg>`,
    )}
    <span class="bar-name"></span>
    <svg class="bar-axis" height="18" aria-hidden="true">
      <text x="0">0%</text>
      <text x="50%" text-anchor="middle">50%</text>
      <text x="100%" text-anchor="end">100% of images</text>
    </svg>
  </div>`;
}

function segment(exit: number, exits: number, from: number, to: number): Markup {
  const { fill, ink } = exitColour(exit, exits);
  const share = to - from;
  return html`<g>
    <title>exit ${exit}: ${percent(share)}</title>
    <rect x="${coordinate(from)}" width="${coordinate(share)}" height="${BAR_HEIGHT}" fill="${fill}" />
    ${
      share < LABELLED_SHARE
        ? null
        : html`<text x="${coordinate((from + to) / 2)}" y="50%" dy="0.35em" text-anchor="middle" fill="${ink}"
            >${percent(share, 0)}</text
          >`
    }
  </g>`;
}

function coordinate(fraction: number): string {
  return `${(100 * fraction).toFixed(3)}%`;
}

function swatch(exit: number, exits: number): Markup {
  return html`<svg class="swatch" viewBox="0 0 12 12" aria-hidden="true">
    <rect width="12" height="12" rx="2" fill="${exitColour(exit, exits).fill}" />
  </svg>`;
}

function numbersTable(rows: readonly ExitShares[], exits: readonly number[]): Markup {
  const withAccuracy = rows.some(({ accuracies }) => accuracies !== undefined);
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Shares of the exits">
    <table>
      <thead>
        <tr>
          <th scope="col">Images</th>
          ${exits.map((exit) => html`<th scope="col" class="right">Exit ${exit}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          ({ name, shares, accuracies }) =>
            html`<tr>
              <th scope="row">${name}</th>
              ${exits.map((exit) => {
                const [share, accuracy] = [shares[exit - 1], accuracies?.[exit - 1]];
                return html`<td class="right">
                  ${share === undefined ? "–" : percent(share)}
                  ${accuracy === undefined ? null : html`<br /><span class="quiet">${percent(accuracy)} right</span>`}
                </td>`;
              })}
            </tr>`,
        )}
      </tbody>
    </table>
    ${withAccuracy ? html`<p class="quiet">“Right” is the accuracy that the exit would have on all images, not only on those that leave there.</p>` : null}
  </div>`;
}
