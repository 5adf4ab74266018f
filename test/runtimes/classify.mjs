/* global console */
// For Bun and Deno: an untrained network classifies four digits in WebAssembly, with one thread and with two.
import { AdaptiveNetwork, createBackend, digits, initialParams, modelByName } from "rdi-net";

const model = modelByName("rdi-smallcnn");
const images = new Float32Array(4 * 784);
digits({ split: "test", length: 4 }).read(Uint32Array.of(0, 1, 2, 3), images, new Int32Array(4));
for (const threads of [1, 2]) {
  const backend = await createBackend({ backend: "wasm", threads });
  const policy = { exits: [1, 2, 3], thresholds: [2.295, 2.295] };
  const net = new AdaptiveNetwork(model, backend, initialParams(model, 1), policy);
  const results = await net.classify(images);
  console.log(`${threads}: ${results.map(({ exit }) => exit).join()}`);
  net.dispose();
  backend.dispose();
}
