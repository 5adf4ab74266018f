import { stat } from "node:fs/promises";
import { Option, type Command } from "commander";
import { slice } from "../data/dataset.js";
import { load, quantize, save, type AdaptiveNetwork } from "../inference/index.js";
import { expectFloat } from "../nn/quantized-model.js";
import { percent } from "../report/format.js";
import { heldOutImages } from "./calibration.js";
import { addCommand } from "./command.js";
import { datasetOption, withDataOptions, type DatasetOptions } from "./dataset-options.js";
import { openBackend, withEngineOptions, type EngineOptions } from "./engine-options.js";
import { integer } from "./numbers.js";
import { print, table } from "./output.js";
import { startProgress } from "./progress.js";
import { UsageError } from "./usage-error.js";
import { withWeightsOption, type WeightsOptions } from "./weights-options.js";
import { expectNew, expectWritableFile } from "./writable.js";

interface Options extends WeightsOptions, Partial<DatasetOptions>, EngineOptions {
  readonly to: "int8" | "f16";
  readonly calibration: number;
  readonly out: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** What `rdi quantize --json` prints. */
interface QuantizeReport {
  readonly model: string;
  readonly to: Options["to"];
  readonly out: string;
  readonly bytes: { readonly before: number; readonly after: number };
  /** Of int8: the layers that compute in integers, with what their inputs lie in. */
  readonly layers?: readonly { readonly layer: string; readonly low: number; readonly high: number }[];
  /** Of int8: the images that the ranges were taken from. */
  readonly calibration?: { readonly dataset: string; readonly images: number };
}

export function addQuantize(program: Command): void {
  const command = addCommand(
    program,
    "quantize",
    "Store a trained network in fewer bits: in int8, in which it also computes, or in f16.",
    [
      "rdi quantize --weights model.safetensors --dataset digits --out int8.safetensors",
      "rdi quantize --weights model.safetensors --dataset mnist --data mnist/ --calibration 512 --out int8.safetensors",
      "rdi quantize --weights model.safetensors --to f16 --out half.safetensors",
    ],
  );
  withEngineOptions(withDataOptions(withWeightsOption(command).addOption(datasetOption())))
    .addOption(
      new Option(
        "--to <format>",
        "int8: 8-bit integers in computation and file, for the processor; f16: 16-bit floats in the file alone",
      )
        .choices(["int8", "f16"])
        .default("int8"),
    )
    .addOption(
      new Option("--calibration <count>", "held-out images that the ranges of int8 are taken from")
        .argParser(integer(1))
        .default(256),
    )
    .requiredOption("--out <file>", "the safetensors file to write")
    .option("--force", "replace a file that is there")
    .option("--json", "print one JSON object")
    .action(async (options: Options) => {
      const report = await run(options);
      print(options.json, report, () => reportText(report));
    });
}

async function run(options: Options): Promise<QuantizeReport> {
  const { weights, out, to, force = false } = options;
  if (to === "int8" && options.dataset === undefined)
    throw new UsageError("Expected --dataset, the images that the ranges of int8 are taken from, but received none");
  await expectNew(out, force);
  await expectWritableFile(out);
  using backend = await openBackend(options);
  using net = await load(weights, { backend });
  expectFloat(net.model, "rdi quantize");
  const before = (await stat(weights)).size;
  const done = to === "int8" ? await toInt8(net, { ...options, dataset: options.dataset! }) : await toHalf(net, out);
  return { model: net.model.name, to, out, bytes: { before, after: (await stat(out)).size }, ...done };
}

async function toInt8(
  net: AdaptiveNetwork,
  options: Options & DatasetOptions,
): Promise<Pick<QuantizeReport, "layers" | "calibration">> {
  const images = slice(await heldOutImages(options, net.training), 0, options.calibration);
  using progress = startProgress("Taking ranges");
  const { model, parameters } = await quantize(net, images, { onProgress: progress.update });
  const { policy, training } = net;
  await save(options.out, { model, parameters: () => Promise.resolve(new Map(parameters)) }, { policy, training });
  const layers = [...model.quantization!.ranges].map(([layer, { high, signed }]) => ({
    layer,
    low: signed ? -high : 0,
    high,
  }));
  return { layers, calibration: { dataset: images.name, images: images.length } };
}

async function toHalf(net: AdaptiveNetwork, out: string): Promise<Pick<QuantizeReport, "layers">> {
  const { policy, training } = net;
  await save(out, net, { policy, training, dtype: "F16" });
  return {};
}

function reportText({ model, to, out, bytes, layers, calibration }: QuantizeReport): string {
  const sizes = `${bytes.before} → ${bytes.after} bytes, ${percent(bytes.after / bytes.before)}`;
  if (layers === undefined || calibration === undefined) return `${model} in ${to}: ${sizes}. Written to ${out}.`;
  return [
    `${model} in ${to}, ranges from ${calibration.images} images of ${calibration.dataset}`,
    table(
      ["layer", "input"],
      layers.map(({ layer, low, high }) => [layer, `${low.toFixed(3)} … ${high.toFixed(3)}`]),
    ),
    `${sizes}. Written to ${out}. Exits and thresholds are those of ${model} in floats; rdi calibrate chooses others.`,
  ].join("\n");
}
