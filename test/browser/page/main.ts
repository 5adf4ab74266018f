import * as rdi from "../../../src/browser.js";
import type { WebBackendOptions } from "../../../src/browser.js";
import { inferenceGraph } from "../../../src/nn/exit-model.js";
import { imagesFrom } from "../../../src/data/web-images.js";
import { cases } from "../../conformance/cases.js";
import { errorOf, runCase } from "../../conformance/run-case.js";
import { tinyBatch, tinyModel, TINY_ROW } from "../../support/tiny.js";

async function withNetwork<T>(
  options: WebBackendOptions,
  use: (net: rdi.Network, backend: Awaited<ReturnType<typeof rdi.createBackend>>) => Promise<T>,
): Promise<T> {
  const backend = await rdi.createBackend(options);
  const net = new rdi.Network(tinyModel, backend, rdi.initialParams(tinyModel, 0));
  try {
    return await use(net, backend);
  } finally {
    net.dispose();
    backend.dispose();
  }
}

const policy = { exits: [1, 3], thresholds: [1] };
const pgd = rdi.attacks.pgd({ eps: 0.1, step: 0.02, steps: 3, seed: 0 });

/** What the tests call in the page; everything that goes in and out is JSON. */
const page = {
  isolated: () => crossOriginIsolated,

  backends: (options: WebBackendOptions) => rdi.describeBackends(options),

  /** The rows of the conformance table that are not met, with their error. */
  async conformance(options: WebBackendOptions) {
    const backend = await rdi.createBackend(options);
    const failed: { title: string; error: number }[] = [];
    for (const row of cases) {
      const error = errorOf(row, await runCase(backend, row));
      if (!(error <= row.tolerance)) failed.push({ title: row.title, error });
    }
    const { threads, instructionSet } = backend;
    backend.dispose();
    return { rows: cases.length, failed, threads, instructionSet };
  },

  /** Attacked images, and the losses of two training steps: to be compared with those of another environment. */
  attack: (options: WebBackendOptions) =>
    withNetwork(options, async (net) => {
      const { images, labels } = tinyBatch(5);
      return Array.from(await rdi.attacks.maxAverage(pgd).perturb(net, images, labels));
    }),

  /** Trains on generated digits into the origin's private file system, and loads what came of it from there. */
  async train(options: WebBackendOptions) {
    const backend = await rdi.createBackend(options);
    const model = rdi.modelByName("rdi-smallcnn");
    const net = new rdi.Network(model, backend, rdi.initialParams(model, 0));
    const dataset = rdi.digits({ split: "train", length: 64 });
    const config = {
      model: model.name,
      attack: null,
      epochs: 1,
      batchSize: 16,
      learningRate: 0.01,
      validationFraction: 0.25,
    };
    const result = await rdi.train(net, dataset, config, { out: "opfs:runs/digits", overwrite: true });
    const trained = await rdi.load(result.model!, { backend });
    const [first] = await trained.classify(new Float32Array(784));
    const { policy: chosen } = trained;
    backend.dispose();
    return { iterations: result.iteration, stopped: result.stopped, exits: chosen.exits, label: first!.label };
  },

  /** Classifies again and again; the memory of the engine and of the page at some points on the way. */
  classifications: (options: WebBackendOptions, rounds: number) =>
    withNetwork(options, async (net, backend) => {
      const { images } = tinyBatch(4);
      const live: number[] = [];
      for (let i = 0; i < rounds; i++) {
        await rdi.classify(net, policy, images);
        if (i % (rounds / 4) === rounds / 4 - 1) live.push(backend.liveBytes());
      }
      return live;
    }),

  /** Long tasks of the page's thread, in ms, while an attack on RDI-ResNet38 runs; and how many frames it could draw. */
  async attackWhileWatched() {
    const tasks: number[] = [];
    const observer = new PerformanceObserver((list) =>
      tasks.push(...list.getEntries().map(({ duration }) => duration)),
    );
    const model = rdi.modelByName("rdi-resnet38");
    const backend = await rdi.createBackend();
    const net = new rdi.Network(model, backend, rdi.initialParams(model, 0));
    const images = new Float32Array(8 * 3072).fill(0.5);
    const attack = rdi.attacks.average(rdi.attacks.pgd({ eps: 8 / 255, step: 2 / 255, steps: 10 }));
    const run = () => attack.perturb(net, images, new Int32Array(8));
    // Compiling the plan is the page's own work.
    await run();
    observer.observe({ entryTypes: ["longtask"] });
    let frames = 0;
    let running = true;
    const count = (): void => {
      frames++;
      if (running) requestAnimationFrame(count);
    };
    requestAnimationFrame(count);
    const started = performance.now();
    for (let i = 0; i < 3; i++) await run();
    const milliseconds = performance.now() - started;
    running = false;
    // Entries come later than their tasks.
    await new Promise((resolve) => setTimeout(resolve, 100));
    observer.disconnect();
    backend.dispose();
    return { tasks, frames, milliseconds };
  },

  /** What an attack that is aborted after a while is rejected with. */
  abort: (options: WebBackendOptions) =>
    withNetwork(options, async (net) => {
      const { images, labels } = tinyBatch(256);
      const long = rdi.attacks.average(rdi.attacks.pgd({ eps: 0.1, step: 0.01, steps: 400 }));
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error("enough")), 20);
      const attacked = long.perturb(net, images, labels, { batchSize: 4, signal: controller.signal });
      const message = await attacked.then(
        () => "finished",
        (error: unknown) => (error as Error).message,
      );
      // And the engine goes on.
      const again = await rdi.classify(net, policy, images.subarray(0, TINY_ROW));
      return { message, again: again.length };
    }),

  /** The message of the error that a call ends with; null if it ends well. */
  async errorOf(call: "backend" | "fetch" | "load" | "node" | "opfs", argument: never): Promise<string | null> {
    const calls = {
      backend: (options: WebBackendOptions) => rdi.createBackend(options),
      fetch: ({ url, ...options }: { url: string } & rdi.FetchModelOptions) => rdi.fetchModel(url, options),
      load: async (url: string) => rdi.load(url, { backend: await rdi.createBackend() }),
      node: () => Promise.resolve().then(() => rdi.mnist({ folder: "x" } as never)),
      opfs: (path: string) => rdi.readSafetensors(path),
    };
    try {
      await (calls[call] as (value: never) => Promise<unknown>)(argument);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  },

  /** Fetches a file by its hash, twice; the bytes, and how many calls of progress each had. */
  async fetchTwice(url: string, sha256: string) {
    const progress = [0, 0];
    let bytes = 0;
    for (const i of [0, 1]) {
      const data = await rdi.fetchModel(url, { sha256, onProgress: () => progress[i]!++ });
      bytes = data.length;
    }
    const kept = await (await caches.open("rdi-net")).keys();
    return { bytes, kept: kept.length };
  },

  /** The same picture from all that a browser can show, as a network's input. */
  async pictures() {
    const canvas = new OffscreenCanvas(8, 4);
    const context = canvas.getContext("2d")!;
    context.fillStyle = "#ff0000";
    context.fillRect(0, 0, 4, 4);
    context.fillStyle = "#ffffff";
    context.fillRect(4, 0, 4, 4);
    const element = document.createElement("canvas");
    [element.width, element.height] = [8, 4];
    element.getContext("2d")!.drawImage(canvas, 0, 0);
    const sources = [
      canvas,
      element,
      context.getImageData(0, 0, 8, 4),
      await createImageBitmap(canvas),
      await canvas.convertToBlob(),
    ];
    const inputs = await imagesFrom(sources, [1, 8, 8]);
    return sources.map((_, i) => Array.from(inputs.subarray(64 * i, 64 * (i + 1))));
  },

  /** Nodes of a graph of the package, so that what is not called otherwise is in the page. */
  nodes: () => inferenceGraph(tinyModel).nodes.length,
};

export type Page = typeof page;
declare global {
  interface Window {
    rdiPage: Page;
  }
}
window.rdiPage = page;
