import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { StoredTensor } from "../../src/formats/safetensors.js";
import { root, writeSafetensors } from "../library.js";
import { startProgram } from "./program.js";
import type { Library, MeasuredJob, Work } from "./protocol.js";
import { comparedSteps, firstLearningRate, images, learningRate, weights, workload } from "./workload.js";

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
export function pytorchProgram(name: "work" | "training"): string {
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

/** Starts Python on one work, with files in `folder` that it no longer needs once it is ready. */
async function prepare(
  { kind, model: name, batch, steps }: Work,
  threads: number,
  folder: string,
): Promise<MeasuredJob> {
  const { model, attack, training } = workload(name);
  const { x, y } = images(model, batch);
  const floats = (shape: readonly number[], data: Float32Array): StoredTensor => ({ dtype: "F32", shape, data });
  const values = weights(model);
  const params = [...model.params].map(
    ([param, { spec }]) => [param, floats(spec.shape as readonly number[], values.get(param)!)] as const,
  );
  await writeSafetensors(join(folder, "weights"), new Map(params));
  const data = new Map<string, StoredTensor>([
    ["x", floats([batch, ...model.inputShape], x)],
    ["y", { dtype: "I32", shape: [batch], data: y }],
  ]);
  await writeSafetensors(join(folder, "data"), data);
  const { momentum, weightDecay } = training;
  const settings = {
    threads,
    kind,
    model: name,
    steps,
    comparedSteps: comparedSteps(steps),
    ...attack,
    firstLearningRate,
    learningRate,
    momentum,
    weightDecay,
  };
  const rate = await startProgram(
    python,
    [pytorchProgram("work"), folder, JSON.stringify(settings)],
    withThreads(threads),
  );
  const bytes = await readFile(join(folder, "results"));
  return { results: new Float32Array(Uint8Array.from(bytes).buffer), rate };
}
