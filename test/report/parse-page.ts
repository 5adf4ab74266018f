/** An element of a page, with the text of it and of all in it. */
export interface PageElement {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly PageElement[];
  readonly text: string;
}

interface OpenElement {
  name: string;
  attributes: Map<string, string>;
  children: PageElement[];
  text: string;
}

const VOID = new Set(["meta", "link", "img", "br"]);
/** What closes an open `p` by itself in HTML, so that it cannot stand in one. */
const BLOCK = new Set([
  "p",
  "div",
  "dl",
  "ul",
  "table",
  "figure",
  "section",
  "h1",
  "h2",
  "h3",
  "header",
  "main",
  "details",
]);
const TAG = /^<(\/?)([a-z][\w-]*)((?:\s+[\w:-]+="[^"<>]*")*)\s*(\/?)>/i;
const ATTRIBUTE = /([\w:-]+)="([^"]*)"/g;
const ENTITIES: Record<string, string> = { "&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'" };

/**
 * Parses a page that is well-formed as XML and means the same as HTML: every element closed, every attribute quoted, `/>` only
 * on void elements and in SVG, nothing in a paragraph that would end it.
 *
 * @throws Error at the first place that is neither
 */
export function parsePage(page: string): PageElement {
  const doctype = "<!doctype html>\n";
  if (!page.startsWith(doctype)) throw new Error("no doctype");
  const root: OpenElement = { name: "#document", attributes: new Map(), children: [], text: "" };
  const open = [root];
  const close = () => {
    const element = open.pop()!;
    open.at(-1)!.children.push(element);
    open.at(-1)!.text += element.text;
  };
  let rest = page.slice(doctype.length).trimEnd();
  while (rest !== "") {
    const parent = open.at(-1)!;
    if (!rest.startsWith("<")) {
      const text = /^[^<]+/.exec(rest)![0];
      parent.text += decode(text);
      rest = rest.slice(text.length);
      continue;
    }
    const [tag, closing, name = "", attributes = "", empty] = TAG.exec(rest) ?? fail("not a tag", rest);
    rest = rest.slice(tag.length);
    if (closing === "/") {
      if (parent.name !== name) fail(`</${name}> closes <${parent.name}>`, rest);
      close();
      continue;
    }
    const inSvg = name === "svg" || open.some((element) => element.name === "svg");
    if (VOID.has(name) !== (empty === "/") && !inSvg) fail(`<${name}> is void or not`, rest);
    if (BLOCK.has(name) && open.some((element) => element.name === "p")) fail(`<${name}> in <p>`, rest);
    const pairs = [...attributes.matchAll(ATTRIBUTE)].map(([, key, value]) => [key!, decode(value!)] as const);
    if (new Set(pairs.map(([key]) => key)).size !== pairs.length) fail(`<${name}> repeats an attribute`, rest);
    open.push({ name, attributes: new Map(pairs), children: [], text: "" });
    if (empty === "/") close();
    if (name === "style") rest = rest.slice(rest.indexOf("</style>"));
  }
  if (open.length !== 1) fail(`<${open.at(-1)!.name}> is not closed`, rest);
  return root;
}

/** The elements called `name`, in order, anywhere in `element`. */
export function findAll(element: PageElement, name: string): PageElement[] {
  return element.children.flatMap((child) => [...(child.name === name ? [child] : []), ...findAll(child, name)]);
}

/** Text with runs of white space as one space. */
export function textOf(element: PageElement): string {
  return element.text.replace(/\s+/g, " ").trim();
}

function decode(text: string): string {
  if (/&(?!(amp|lt|gt|quot|#39);)/.test(text)) fail("a bare &", text);
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (entity) => ENTITIES[entity]!);
}

function fail(what: string, where: string): never {
  throw new Error(`${what}, at: ${where.slice(0, 120)}`);
}
