// Lists the files of node_modules that programs need at run time: those of the package's dependencies, of the packages named as arguments, and of whatever these
// depend on, one path a line. Types, source maps and pages are left out.
import console from "node:console";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";

const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8"));

/** Where Node.js finds a package from a folder: in the nearest node_modules upwards. */
function resolve(name, from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, "node_modules", name);
    if (packages[path] !== undefined) return path;
    if (folder === ".") return undefined;
  }
}

const needed = new Set();
function need(name, from, optional) {
  const path = resolve(name, from);
  // Optional packages of other platforms are listed, and not installed.
  if (path === undefined || !existsSync(path)) {
    if (optional) return;
    throw new Error(`Expected the package ${name} for ${from} in node_modules but found it not: run scripts/setup`);
  }
  if (needed.has(path)) return;
  needed.add(path);
  const { dependencies = {}, optionalDependencies = {} } = packages[path];
  for (const dependency of Object.keys(dependencies)) need(dependency, path, false);
  for (const dependency of Object.keys(optionalDependencies)) need(dependency, path, true);
}

for (const name of [...Object.keys(packages[""].dependencies), ...process.argv.slice(2)]) need(name, ".", false);

const DROPPED = /\.(map|md|markdown|d\.[cm]?ts)$/;
for (const path of needed) {
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    const file = join(entry.parentPath, entry.name);
    // Packages that lie inside another are listed by themselves.
    const inside = file.slice(path.length).includes("/node_modules/");
    if (entry.isFile() && !inside && !DROPPED.test(file)) console.log(file);
  }
}
