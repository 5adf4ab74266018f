import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { StoredTensor } from "../../src/formats/safetensors.js";
import { root, writeSafetensors } from "../library.js";
import { startMeasuredProgram } from "./program.js";
import type { Library, MeasuredJob, Work } from "./protocol.js";
import { comparedSteps, images, learningRate, weights, workload, type ModelName } from "./workload.js";

export const python = process.env.RDI_PYTHON ?? "python3";

/** Whether PyTorch can be measured; if not, says why not. */
export async function hasPytorch(): Promise<boolean> {
  try {
    await promisify(execFile)(python, ["-c", "import torch"]);
    return true;
  } catch (error) {
    const reason = (error as Error).message.trim().split("\n").at(-1);
    console.error(`Not measured: PyTorch, since ${python} has no torch (${reason}); RDI_PYTHON can name another`);
    return false;
  }
}

/** A program of bench/pytorch/. */
export function pytorchProgram(name: "work" | "training" | "gpu"): string {
  return fileURLToPath(new URL(`bench/pytorch/${name}.py`, root));
}

/** The environment of PyTorch with so many threads. OpenBLAS has threads of its own; more than one get in PyTorch's way, to a half or a quarter of its speed. */
export function withThreads(threads: number): NodeJS.ProcessEnv {
  return { ...process.env, OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: "1" };
}

/** PyTorch on the CPU, channels last. */
export function openPytorch(threads: number): Library {
  return {
    prepare: async (work) => {
      const folder = await mkdtemp(join(tmpdir(), "rdi-bench-"));
      try {
        return await prepare(work, threads, folder);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  };
}

/** Writes a model's `weights` and so many images with their labels, the `data`, into a folder, as safetensors files. */
export async function writeInputs(folder: string, name: ModelName, count: number): Promise<void> {
  const { model } = workload(name);
  const floats = (shape: readonly number[], data: Float32Array): StoredTensor => ({ dtype: "F32", shape, data });
  const values = weights(model);
  const params = [...model.params].map(
    ([param, { spec }]) => [param, floats(spec.shape as readonly number[], values.get(param)!)] as const,
  );
  await writeSafetensors(join(folder, "weights"), new Map(params));
  const { x, y } = images(model, count);
  const data = new Map<string, StoredTensor>([
    ["x", floats([count, ...model.inputShape], x)],
    ["y", { dtype: "I32", shape: [count], data: y }],
  ]);
  await writeSafetensors(join(folder, "data"), data);
}

/** The float32 numbers of a file. */
export async function readFloats(path: string): Promise<Float32Array> {
  const bytes = await readFile(path);
  // A copy, since the file's bytes may lie at an odd place.
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

/** Starts Python on one work, with files in `folder` that it no longer needs once it is ready. */
async function prepare(
  { kind, model: name, batch, steps }: Work,
  threads: number,
  folder: string,
): Promise<MeasuredJob> {
  const { attack, training } = workload(name);
  await writeInputs(folder, name, batch);
  const { momentum, weightDecay } = training;
  const settings = {
    threads,
    kind,
    model: name,
    steps,
    comparedSteps: comparedSteps(steps),
    ...attack,
    firstLearningRate: training.firstLearningRate,
    learningRate,
    momentum,
    weightDecay,
  };
  const rate = await startMeasuredProgram(
    python,
    [pytorchProgram("work"), folder, JSON.stringify(settings)],
    withThreads(threads),
  );
  return { results: await readFloats(join(folder, "results")), rate };
}
