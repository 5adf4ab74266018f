import { createBackend } from "../../src/backends/registry.js";
import { Executable } from "../../src/nn/executable.js";
import { Random } from "../../src/util/random.js";
import { cases, drawInputs, graphOf } from "./cases.js";

/** Runs every row of the conformance table once on the backend of this name, and returns how many there are. */
export async function runRows(name: BackendName): Promise<number> {}
