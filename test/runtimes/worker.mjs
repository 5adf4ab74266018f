/* global Response */
// For workerd: the same, with a module that is compiled already, and an attack; the answer of every request.
import { AdaptiveNetwork, attacks, createBackend, digits, initialParams, modelByName } from "rdi-net";
import module from "./rdi-simd.wasm";

async function answer() {
  const backend = await createBackend({ module });
  const model = modelByName("rdi-smallcnn");
  const policy = { exits: [1, 2, 3], thresholds: [2.295, 2.295] };
  const net = new AdaptiveNetwork(model, backend, initialParams(model, 1), policy);
  const images = new Float32Array(4 * 784);
  digits({ split: "test", length: 4 }).read(Uint32Array.of(0, 1, 2, 3), images, new Int32Array(4));
  const results = await net.classify(images);
  const attack = attacks.average(attacks.pgd({ eps: 0.3, step: 0.1, steps: 2, seed: 0 }));
  const adversarial = await attack.perturb(net, images, Int32Array.of(0, 1, 2, 3));
  const moved = adversarial.some((pixel, i) => pixel !== images[i]);
  const { threads } = backend;
  net.dispose();
  backend.dispose();
  return `${threads}: ${results.map(({ exit }) => exit).join()}${moved ? ", attacked" : ""}\n`;
}

export default {
  async fetch() {
    try {
      return new Response(await answer());
    } catch (error) {
      return new Response(`${error.stack}\n`, { status: 500 });
    }
  },
};
