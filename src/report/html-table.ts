import type { ReportTable } from "./data.js";
import { html, type Markup } from "./html.js";
import type { Table } from "./table.js";

/** A table that scrolls by itself where it is too wide; a rule stands where the first column changes. */
export function htmlTable(table: Table, label: string): Markup {
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${label}">
    <table class="results">
      <thead>
        <tr>
          ${table.columns.map(({ title, align }) => html`<th scope="col" class="${align}">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${table.rows.map(
          ([first, ...cells], i) => html`<tr${i > 0 && table.rows[i - 1]![0] !== first ? html` class="group"` : null}>
            <th scope="row">${first!}</th>
            ${cells.map((cell, j) => html`<td class="${table.columns[j + 1]!.align}">${cell}</td>`)}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** A table under its own heading. */
export function tableSection({ title, table, caption }: ReportTable): Markup {
  return html`<section>
    <h2>${title}</h2>
    ${htmlTable(table, title)} ${caption === undefined ? null : html`<p class="caption">${caption}</p>`}
  </section>`;
}
