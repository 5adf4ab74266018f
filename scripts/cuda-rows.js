// Runs every row of the conformance table once on the backend `cuda`, in this one process, for compute-sanitizer (scripts/gpu-check). It compares nothing: the
// conformance suite does.
import { runnerImport } from "vite";

const { module } = await runnerImport("./test/conformance/run-rows.ts");
console.log(`${await module.runRows()} rows ran`);
