import { existsSync } from "node:fs";
import { stat } from "node:fs/promises";
import { extname, join, sep } from "node:path";
import { Option, type Command } from "commander";
import { createBackend } from "../backends/registry.js";
import { exportOnnx, POLICY_FILE, segmentFiles, type OnnxFile } from "../formats/onnx/export.js";
import { OPSETS } from "../formats/onnx/operators.js";
import { load, type ExitPolicy } from "../inference/index.js";
import { models } from "../models/index.js";
import { addCommand } from "./command.js";
import { integer } from "./numbers.js";
import { print, table } from "./output.js";
import { UsageError } from "./usage-error.js";
import { withWeightsOption, type WeightsOptions } from "./weights-options.js";
import { expectNew, expectWritableFile, expectWritableFolder } from "./writable.js";

interface Options extends WeightsOptions {
  readonly out: string;
  readonly segments?: boolean;
  readonly opset: number;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** What `rdi export --json` prints. */
interface ExportReport {
  readonly model: string;
  readonly weights: string;
  readonly opset: number;
  readonly policy: ExitPolicy;
  readonly files: readonly OnnxFile[];
  /** The file that tells how to run segments. */
  readonly policyFile?: string;
}

export function addExport(program: Command): void {
  const command = addCommand(program, "export", "Write a network as ONNX, for other runtimes.", [
    "rdi export --weights model.safetensors --out model.onnx",
    "rdi export --weights model.safetensors --out model-segments/ --segments",
    "rdi export --weights model.safetensors --out model.onnx --opset 13 --force --json",
  ]);
  withWeightsOption(command)
    .requiredOption(
      "--out <path>",
      "the ONNX file to write; with --segments, or if it is a folder, where the segments go",
    )
    .option(
      "--segments",
      "for early exit: a model for each exit of the policy, and policy.json, which tells how to run them",
    )
    .addOption(
      new Option("--opset <version>", `the version of ONNX's operators, ${OPSETS.first} … ${OPSETS.last}`)
        .argParser(integer(OPSETS.first, OPSETS.last))
        .default(OPSETS.default),
    )
    .option("--force", "replace files that are there")
    .option("--json", "print one JSON object")
    .action(async (options: Options) => {
      const report = await run(options);
      print(options.json, report, () => reportText(report));
    });
}

async function run({ weights, out, opset, force = false, ...options }: Options): Promise<ExportReport> {
  if (models.has(weights) && !existsSync(weights))
    throw new UsageError(
      `Expected a weights file for --weights but received the name of a model, ${weights}, which says nothing of its weights; train it with rdi train`,
    );
  const segments = await asSegments(out, options.segments === true);
  // Nothing is computed: the plainest backend holds the weights.
  using backend = await createBackend({ backend: "reference" });
  using net = await load(weights, { backend });
  const paths = segments ? segmentFiles(net.policy).map((file) => join(out, file)) : [out];
  for (const path of paths) await expectNew(path, force);
  await (segments ? expectWritableFolder(out) : expectWritableFile(out));
  const files = await exportOnnx(out, net, { segments, opset });
  const { model, policy } = net;
  const report = { model: model.name, weights, opset, policy, files };
  return segments ? { ...report, policyFile: join(out, POLICY_FILE) } : report;
}

/** Whether `out` is a folder for segments. @throws UsageError if it looks like a file and segments are asked for */
async function asSegments(out: string, asked: boolean): Promise<boolean> {
  const isFolder = (await stat(out).catch(() => undefined))?.isDirectory() ?? /[\\/]$/.test(out);
  if (asked && !isFolder && extname(out) === ".onnx")
    throw new UsageError(
      `Expected a folder for --out with --segments, which writes a file for each exit, but received ${out}; name it ${out.slice(0, -".onnx".length)}${sep}`,
    );
  return asked || isFolder;
}

function reportText({ model, opset, policy, files, policyFile }: ExportReport): string {
  const names = (list: OnnxFile["inputs"]): string =>
    list.map(({ name, shape }) => `${name} ${shape.join("×")}`).join("\n");
  const text = [
    `${model} as ONNX, opset ${opset}${policyFile === undefined ? ", every exit an output" : `, a segment for each of the exits ${policy.exits.join(", ")}`}`,
    table(
      ["file", "inputs", "outputs", "bytes"],
      files.map(({ file, inputs, outputs, bytes }) => [file, names(inputs), names(outputs), bytes]),
      3,
    ),
  ];
  if (policyFile !== undefined) text.push(`How to run them, with the thresholds, is in ${policyFile}.`);
  if (policyFile !== undefined && policy.exits.length === 1)
    text.push(
      "The policy of these weights has no early exit: choose thresholds with rdi calibrate, then export again.",
    );
  return text.join("\n");
}
