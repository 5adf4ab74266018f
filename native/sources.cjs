/* global __dirname, console, process */
// Lists C++ sources for binding.gyp, which has no globbing: `node native/sources.cjs kernels|core|cpu|addon`. CMake finds the same by itself.
const { readdirSync } = require("node:fs");

const sourcesIn = (folder) =>
  readdirSync(`${__dirname}/${folder}`)
    .filter((file) => file.endsWith(".cpp"))
    .map((file) => `native/${folder}/${file}`);
const isAdapter = (file) => file.endsWith("_kernels.cpp");

const parts = {
  // Kernels and their adapters, which are compiled once for each instruction set.
  kernels: () => [...sourcesIn("kernels"), ...sourcesIn("cpu").filter(isAdapter)],
  // What all engines share.
  core: () => [...sourcesIn("core"), ...sourcesIn("core/ops")],
  cpu: () => sourcesIn("cpu").filter((file) => !isAdapter(file)),
  addon: () => sourcesIn("addon"),
};
console.log(parts[process.argv[2]]().join(" "));
