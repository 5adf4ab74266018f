// Stores a network's weights as 16-bit floats, which readers widen again: node scripts/halve-weights.js WEIGHTS OUT
/* global console */
import { argv, exit } from "node:process";

import { readSafetensors, writeSafetensors } from "../dist/formats/safetensors.js";

const [weights, out] = argv.slice(2);
if (out === undefined) {
  console.error("Usage: node scripts/halve-weights.js WEIGHTS OUT");
  exit(2);
}
const { tensors, metadata } = await readSafetensors(weights);
const halved = [...tensors].map(([name, tensor]) => [name, { ...tensor, dtype: "F16" }]);
await writeSafetensors(out, new Map(halved), metadata);
