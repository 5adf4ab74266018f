import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { escape, html } from "../../src/report/html.js";
import { findAll, parsePage } from "./parse-page.js";

describe("html", () => {
  it("escapes text, leaves markup, joins lists and drops null", () => {
    const items = [html`<li>${'<a href="x">&\'</a>'}</li>`, html`<li>${2}</li>`, null];
    expect(
      html`<ul>
        ${items}
      </ul>`.text.replace(/\s/g, ""),
    ).toBe("<ul><li>&lt;ahref=&quot;x&quot;&gt;&amp;&#39;&lt;/a&gt;</li><li>2</li></ul>");
  });

  it("keeps any text inside its element and attribute, unchanged but for what no document may hold", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 20 }), (text) => {
        const page = parsePage(
          html`<!doctype html>
            <p class="${text}">${text}</p>`.text,
        );
        const [paragraph] = findAll(page, "p");
        const kept = text.replace(/(?![\t\n\r])[\p{Cc}\p{Cs}]/gu, "\ufffd");
        expect(paragraph?.text).toBe(kept);
        expect(paragraph?.attributes.get("class")).toBe(kept);
      }),
    );
  });

  it("replaces control characters and lone surrogates, and keeps white space", () => {
    expect(escape("a\0b\u001b[31m\ud800c\td\ne\u{1f600}")).toBe("a\ufffdb\ufffd[31m\ufffdc\td\ne\u{1f600}");
  });
});
