import type { BackendName } from "../src/backends/backend.js";
import { byteDataset, rdi, runAllExits } from "./library.js";
import { images, weights, workload, type ModelName } from "./network/workload.js";
import type { Options } from "./options.js";
import { compare, type Row } from "./row.js";
import { secondsOf } from "./timing.js";

const MODELS: readonly ModelName[] = ["rdi-smallcnn", "rdi-resnet38"];
const BACKENDS: readonly BackendName[] = ["cpu", "wasm"];
const BATCHES = [1, 128];
/** Of a side in a round. */
const SECONDS = 0.3;
/** Images that ranges are taken from. */
const CALIBRATION = 8;

/** Inference (all exits) in integers of 8 bits against our own in floats, in turns, with one thread. */
export async function benchQuantized({ quick }: Pick<Options, "quick">): Promise<Row[]> {
  const rows: Row[] = [];
  for (const backend of BACKENDS) {
    for (const model of MODELS) {
      for (const batch of BATCHES) rows.push(await measure(backend, model, batch, quick ? 3 : 9));
    }
  }
  return rows;
}

async function measure(name: BackendName, modelName: ModelName, batch: number, rounds: number): Promise<Row> {
  using backend = await rdi.createBackend({ backend: name, threads: 1 });
  const { model } = workload(modelName);
  using floats = new rdi.AdaptiveNetwork(model, backend, weights(model));
  const pixels = Uint8Array.from(images(model, CALIBRATION).x, (pixel) => 255 * pixel);
  const row = pixels.length / CALIBRATION;
  const noise = byteDataset({
    name: "noise",
    classes: model.classes,
    imageShape: model.inputShape,
    length: CALIBRATION,
    pixels: (index) => pixels.subarray(index * row, (index + 1) * row),
    label: () => 0,
  });
  const { model: quantized, parameters } = await rdi.quantize(floats, noise);
  using int8 = new rdi.AdaptiveNetwork(quantized, backend, parameters);
  const { x } = images(model, batch);
  const rate = async (net: typeof floats): Promise<number> =>
    batch / (await secondsOf(() => runAllExits(net, x, batch, batch), SECONDS));
  const measured: { rate: number; peerRate: number }[] = [];
  // The first round is for compilers to optimise what it runs.
  for (let round = -1; round < rounds; round++) {
    const before = await rate(floats);
    const own = await rate(int8);
    const after = await rate(floats);
    if (round >= 0) measured.push({ rate: own, peerRate: (before + after) / 2 });
  }
  return {
    name: modelName,
    work: "int8 forward",
    backend: name,
    peer: "floats",
    threads: 1,
    batch,
    ...compare(measured),
    aim: null,
    stretch: null,
    floor: null,
    unit: "images/s",
    note: backend.instructionSet ?? "",
  };
}
