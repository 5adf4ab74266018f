// `node wasm/unshare.js FILE` marks the memory that a module imports as not shared.
import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";

import { withMemoryShared } from "../src/backends/native/memory-import.mjs";

const [file] = argv.slice(2);
writeFileSync(file, withMemoryShared(readFileSync(file), false));
