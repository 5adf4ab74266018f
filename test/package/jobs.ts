/** Programs that use the installed package. */

const bodyOn = (backend: string): string => `
  const { AdaptiveNetwork, createBackend, digits, initialParams, modelByName } = rdi;
  const backend = await createBackend(${backend});
  const model = modelByName("rdi-smallcnn");
  const policy = { exits: [1, 2, 3], thresholds: [2.295, 2.295] };
  const net = new AdaptiveNetwork(model, backend, initialParams(model, 1), policy);
  const images = new Float32Array(4 * 784);
  digits({ split: "test", length: 4 }).read(Uint32Array.of(0, 1, 2, 3), images, new Int32Array(4));
  const results = await net.classify(images);
  console.log(JSON.stringify({ backend: backend.name, exits: results.map(({ exit }) => exit) }));
  net.dispose();
  backend.dispose();
`;

const body = bodyOn("{ threads: 2 }");

/** An untrained network classifies four digits; prints the backend and the exits that they left at. */
export const CLASSIFY = `import * as rdi from "rdi-net";\nasync function main() {${body}}\nmain();\n`;

export const CLASSIFY_COMMONJS = `const rdi = require("rdi-net");\nasync function main() {${body}}\nmain();\n`;

/** The same where the engine's module is inside the program, as edge runtimes need it. */
export const CLASSIFY_INLINE = `import * as rdi from "rdi-net";
import { wasmModule } from "rdi-net/inline";
async function main() {${bodyOn("{ module: await wasmModule() }")}}
main();
`;

/** The same in a worker thread, which the main thread then ends. */
export const CLASSIFY_IN_WORKER = `
import { Worker } from "node:worker_threads";
const worker = new Worker(new URL("classify.mjs", import.meta.url), { stdout: true });
for await (const chunk of worker.stdout) process.stdout.write(chunk);
await worker.terminate();
`;

/** What CLASSIFY prints on every backend. */
export function classified(backend: string): string {
  return `${JSON.stringify({ backend, exits: [2, 1, 2, 1] })}\n`;
}

/** Values, types, classes, which are both, and a namespace that holds both. */
export const TYPESCRIPT = `
import { attacks, createBackend, load, Tensor, type Backend, type BackendReport, type Classification } from "rdi-net";

export async function first(path: string, images: Float32Array): Promise<Classification | undefined> {
  const backend: Backend = await createBackend({ backend: "cpu", threads: 1 });
  const net = await load(path, { backend });
  const attack: attacks.Attack = attacks.maxAverage(attacks.pgd({ eps: 0.3, step: 0.1, steps: 2, seed: 0 }));
  return (await net.classify(await attack.perturb(net, images, Int32Array.of(1))))[0];
}

export function isTensor(value: unknown): value is Tensor {
  return value instanceof Tensor;
}

export const reason = (report: BackendReport): string | undefined => report.solutions?.[0];

// @ts-expect-error -- there is no such backend, and the types must say so: they are not any
export const wrong = createBackend({ backend: "abacus" });
`;
