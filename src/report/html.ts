/**
 * Text that is already HTML or SVG, safe to insert as it stands. `html` makes it; make it by hand from constants only, so that
 * nothing unescaped slips into a page.
 */
export class Markup {
  constructor(readonly text: string) {}

  toString(): string {
    return this.text;
  }
}

/** What may stand in a `html` template. Plain text is escaped; null renders as nothing. */
export type Content = string | number | Markup | null | readonly Content[];

/** A tagged template of well-formed markup (every element closed, every attribute quoted) that escapes what is put in. */
export function html(template: TemplateStringsArray, ...values: readonly Content[]): Markup {
  return new Markup(String.raw({ raw: template }, ...values.map(render)));
}

function render(content: Content): string {
  if (content === null) return "";
  if (content instanceof Markup) return content.text;
  if (typeof content === "object") return content.map(render).join("");
  return escape(String(content));
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text for an element or a quoted attribute. Control characters and lone surrogates, which no document may hold, become U+FFFD. */
export function escape(text: string): string {
  return text
    .replace(/(?![\t\n\r])[\p{Cc}\p{Cs}]/gu, "\ufffd")
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}
