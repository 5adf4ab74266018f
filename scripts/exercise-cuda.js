// Runs every kernel of the backend `cuda` in this one process, from the TypeScript sources, for compute-sanitizer (scripts/gpu-check). Argument: a precision.
import console from "node:console";
import process from "node:process";

import { runnerImport } from "vite";

// Node.js 20 has no `using`.
const { module } = await runnerImport("./test/conformance/exercise.ts", { oxc: { target: "es2023" } });
let count = 0;
await module.exercise(process.argv[2], (what) => {
  count++;
  // What is found in it then follows its name.
  console.log(what);
});
console.log(`${count} works done`);
