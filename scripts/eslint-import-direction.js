// @ts-check
import path from "node:path";

/**
 * The layers of src/, lowest first. A folder may import from its own layer and from lower ones: `ops` and `graph` describe each
 * other, and the folders that build on `nn` may use each other.
 */
const layers = [
  ["util"],
  ["ops", "graph"],
  ["backends"],
  ["tensor"],
  ["nn"],
  ["models", "data", "attacks", "inference", "formats"],
  ["training", "report"],
  ["reproduce"],
  ["cli"],
];

const order = layers.map((folders) => folders.join(", ")).join(" <- ");

/** Those that choose among the concrete backends: in Node.js, and elsewhere. */
const registries = ["backends/registry.ts", "backends/web-registry.ts"];

/** @param {string} folder @returns {number} */
const layerOf = (folder) => layers.findIndex((folders) => folders.includes(folder));

/** The folder of a concrete backend that a path under src/ lies in; undefined elsewhere. @param {string[]} segments */
const backendOf = (segments) => (segments[0] === "backends" && segments.length > 2 ? segments[1] : undefined);

/**
 * An ESLint rule, for the files under src/: imports go down the layers only, and only the registries import a concrete
 * backend (a folder of src/backends). The package's entry, src/index.ts, may import everything, and nothing imports it.
 *
 * @type {import("eslint").Rule.RuleModule}
 */
export const importDirection = {
  meta: {
    type: "problem",
    schema: [],
    messages: {
      layer: "src/{{ from }} may not import src/{{ to }}, which lies above it ({{ order }}).",
      backend:
        "Only src/backends/registry.ts and web-registry.ts import concrete backends, here src/backends/{{ backend }}.",
      folder: "src/{{ folder }} has no place in the layers of scripts/eslint-import-direction.js ({{ order }}).",
    },
  },
  create(context) {
    const src = path.join(context.cwd, "src");
    const importer = path.relative(src, context.filename).split(path.sep);
    if (importer[0] === ".." || importer.length === 1) return {};

    /** @param {import("estree").Node | null | undefined} source */
    function check(source) {
      if (source?.type !== "Literal" || typeof source.value !== "string" || !source.value.startsWith(".")) return;
      const target = path.relative(src, path.resolve(path.dirname(context.filename), source.value)).split(path.sep);
      if (target[0] === "..") return;
      const from = importer[0] ?? "";
      const to = target[0] ?? "";
      const backend = backendOf(target);
      if (layerOf(from) < 0) {
        context.report({ node: source, messageId: "folder", data: { folder: from, order } });
      } else if (to === "index.js" || layerOf(to) > layerOf(from)) {
        context.report({ node: source, messageId: "layer", data: { from, to, order } });
      } else if (layerOf(to) < 0) {
        context.report({ node: source, messageId: "folder", data: { folder: to, order } });
      } else if (backend !== undefined && backend !== backendOf(importer) && !registries.includes(importer.join("/"))) {
        context.report({ node: source, messageId: "backend", data: { backend } });
      }
    }

    return {
      ImportDeclaration: (node) => check(node.source),
      ExportNamedDeclaration: (node) => check(node.source),
      ExportAllDeclaration: (node) => check(node.source),
      ImportExpression: (node) => check(node.source),
      /** @param {{ source: import("estree").Node }} node */
      TSImportType: (node) => check(node.source),
    };
  },
};
