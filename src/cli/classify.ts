import type { Command } from "commander";
import { z } from "zod";
import { listImages } from "../data/image-files.js";
import { readImage } from "../data/images.js";
import { load, type AdaptiveNetwork, type Classification, type TrainingRecord } from "../inference/index.js";
import { percent, significant } from "../report/format.js";
import { addCommand } from "./command.js";
import { openBackend, withEngineOptions, type EngineOptions } from "./engine-options.js";
import { print, table } from "./output.js";
import { startProgress } from "./progress.js";
import { withWeightsOption, type WeightsOptions } from "./weights-options.js";

interface ClassifyOptions extends WeightsOptions, EngineOptions {
  readonly json?: boolean;
}

/** Images that are decoded and classified together. */
const BATCH = 64;

export function addClassify(program: Command): void {
  const command = addCommand(
    program,
    "classify",
    "Classify PNG or JPEG files; each leaves the network at the first exit that is sure.",
    [
      "rdi classify --weights rdi-quickstart/rdi-smallcnn/model.safetensors digit.png",
      "rdi classify --weights model.safetensors photos/ more.jpg --json",
    ],
  ).argument("<path...>", "image files, or folders of them");
  withEngineOptions(withWeightsOption(command))
    .option("--json", "print one JSON object")
    .action(async (paths: readonly string[], options: ClassifyOptions) => {
      const files = (await Promise.all(paths.map(listImages))).flat();
      using backend = await openBackend(options);
      using net = await load(options.weights, { backend });
      const images = await classifyFiles(net, files, classNamesOf(net.training));
      print(options.json, { model: net.model.name, backend: backend.name, threads: backend.threads, images }, () =>
        resultText(images),
      );
    });
}

type ImageResult = Omit<Classification, "probabilities"> & {
  readonly file: string;
  /** What the label stands for, where the data set trained on said so. */
  readonly class?: string;
  readonly probabilities: readonly number[];
};

async function classifyFiles(
  net: AdaptiveNetwork,
  files: readonly string[],
  classNames: readonly string[] | undefined,
): Promise<ImageResult[]> {
  using progress = startProgress("Classifying");
  const results: ImageResult[] = [];
  for (let start = 0; start < files.length; start += BATCH) {
    const names = files.slice(start, start + BATCH);
    const decoded = await Promise.all(names.map((file) => readImage(file, net.model.inputShape)));
    const size = decoded[0]!.length;
    const images = new Float32Array(size * decoded.length);
    decoded.forEach((image, i) => images.set(image, i * size));
    const classified = await net.classify(images);
    for (const [i, { probabilities, ...rest }] of classified.entries()) {
      const name = classNames?.[rest.label];
      results.push({
        file: names[i]!,
        ...rest,
        ...(name !== undefined && { class: name }),
        probabilities: [...probabilities],
      });
    }
    progress.update(results.length, files.length);
  }
  return results;
}

function classNamesOf(training: TrainingRecord): readonly string[] | undefined {
  return z.object({ classNames: z.array(z.string()) }).safeParse(training).data?.classNames;
}

function resultText(images: readonly ImageResult[]): string {
  return table(
    ["file", "label", "probability", "exit", "entropy (nats)", "MACs (10⁶)"],
    images.map(({ file, label, class: name, probabilities, exit, entropy, macs }) => [
      file,
      name ?? label,
      percent(probabilities[label]!),
      exit,
      entropy.toFixed(3),
      significant(macs.full),
    ]),
  );
}
