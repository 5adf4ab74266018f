import { Option, type Command } from "commander";
import { importCheckpoint, lastExitPolicy, save, type CheckpointSource } from "../inference/index.js";
import { modelByName } from "../models/index.js";
import { shortList, nameText } from "../util/quote.js";
import { addCommand } from "./command.js";
import { parameterCount } from "./model-layers.js";
import { integer } from "./numbers.js";
import { print } from "./output.js";
import { asUsage } from "./usage-error.js";
import { expectNew, expectWritableFile } from "./writable.js";

interface Options {
  readonly model: string;
  readonly classes?: number;
  readonly out: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** What `rdi import --json` prints. */
interface ImportReport {
  readonly model: string;
  readonly source: CheckpointSource & { readonly ignored: readonly string[] };
  readonly tensors: number;
  readonly parameters: number;
  /** Tensors of the file that the network has no use for. */
  readonly dropped: readonly string[];
  readonly out: string;
}

export function addImport(program: Command): void {
  addCommand(
    program,
    "import",
    "Make a weights file of a PyTorch checkpoint, without running any code in it, or of a safetensors file.",
    [
      "rdi import checkpoint.pth.tar --model rdi-smallcnn --out rdi-smallcnn.safetensors",
      "rdi import smallcnn.pt --model smallcnn --out smallcnn.safetensors --force",
    ],
  )
    .argument("<file>", "the checkpoint (.pt, .pth, .pth.tar: torch.save of a state dict) or safetensors file")
    .requiredOption("--model <name>", "the model whose weights they are; rdi info lists the models")
    .addOption(new Option("--classes <count>", "how many classes it tells apart (default: 10)").argParser(integer(2)))
    .requiredOption("--out <file>", "the weights file to write")
    .option("--force", "replace the file of --out if there is one")
    .option("--json", "print one JSON object")
    .action(async (file: string, options: Options) => {
      const report = await run(file, options);
      print(options.json, report, () => reportText(report));
    });
}

async function run(file: string, { model: name, classes, out, force = false }: Options): Promise<ImportReport> {
  const model = await asUsage(() => modelByName(name, classes));
  await expectNew(out, force);
  await expectWritableFile(out);
  const { weights, source, dropped, ignored } = await importCheckpoint(file, model);
  const net = { model, parameters: () => Promise.resolve(new Map(weights)) };
  await save(out, net, { policy: lastExitPolicy(model), training: { source } });
  return {
    model: name,
    source: { ...source, ignored },
    tensors: weights.size,
    parameters: parameterCount(model),
    dropped,
    out,
  };
}

function reportText({ model, source, tensors, parameters, dropped, out }: ImportReport): string {
  const { file, format, stateDict, iteration, ignored } = source;
  const trained = iteration === undefined ? "" : `, iteration ${iteration}`;
  const where = stateDict === "" ? "" : `, under ${stateDict}`;
  return [
    `${model}: ${tensors} tensors, ${parameters} parameters, from ${file} (${format}${where}${trained})`,
    ...(dropped.length > 0 ? [`Dropped, since the network has no use for them: ${list(dropped)}`] : []),
    ...(ignored.length > 0 ? [`Beside the weights, and left: ${list(ignored)}`] : []),
    `Written to ${out}.`,
    ...(modelByName(model).exits > 1 ? ["No early exit is in use yet: rdi calibrate chooses the thresholds."] : []),
  ].join("\n");
}

const SHOWN = 6;

function list(names: readonly string[]): string {
  return shortList(names.map(nameText), SHOWN);
}
