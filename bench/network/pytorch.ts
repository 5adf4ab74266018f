import { execFile, spawn } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import type { StoredTensor } from "../../src/formats/safetensors.js";
import { root, writeSafetensors } from "../library.js";
import type { Library } from "./protocol.js";
import { images, weights, workload } from "./workload.js";

export const python = process.env.RDI_PYTHON ?? "python3";
export const pytorchFolder = fileURLToPath(new URL("bench/pytorch/", root));

/** Why PyTorch cannot be measured; undefined if it can. */
export async function withoutPytorch(): Promise<string | undefined> {
  try {
    await promisify(execFile)(python, ["-c", "import torch"]);
    return undefined;
  } catch (error) {
    return `${python} has no torch (${(error as Error).message.split("\n")[0]}); RDI_PYTHON can name another`;
  }
}

/** PyTorch on the CPU, channels last, in a process of Python's that does a call for every line it gets. */
export function openPytorch(threads: number): Library {
  return {
    prepare: async ({ kind, model: name, batch, steps }) => {
      const { model, attack } = workload(name);
      const { x, y } = images(model, batch);
      const folder = await mkdtemp(join(tmpdir(), "rdi-bench-"));
      const [weightsFile, dataFile, resultsFile] = ["weights", "data", "results"].map((file) => join(folder, file));
      const floats = (shape: readonly number[], data: Float32Array): StoredTensor => ({ dtype: "F32", shape, data });
      const own = weights(model);
      const params = [...model.params].map(
        ([key, { spec }]) => [key, floats(spec.shape as readonly number[], own.get(key)!)] as const,
      );
      await writeSafetensors(weightsFile!, new Map(params));
      const data = new Map<string, StoredTensor>([
        ["x", floats([batch, ...model.inputShape], x)],
        ["y", { dtype: "I32", shape: [batch], data: y }],
      ]);
      await writeSafetensors(dataFile!, data);
      const settings = [threads, kind, name, steps, attack.eps, attack.step].map(String);
      const child = spawn(
        python,
        [join(pytorchFolder, "work.py"), ...settings, weightsFile!, dataFile!, resultsFile!],
        {
          stdio: ["pipe", "pipe", "inherit"],
          env: { ...process.env, OMP_NUM_THREADS: String(threads), OPENBLAS_NUM_THREADS: String(threads) },
        },
      );
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      const next = async (): Promise<void> => {
        if ((await lines.next()).done === true) throw new Error("Expected an answer of PyTorch's process but it ended");
      };
      await next();
      const bytes = await readFile(resultsFile!);
      let results: Float32Array | undefined = new Float32Array(
        bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
      );
      const run = async (): Promise<Float32Array> => {
        if (results !== undefined) {
          const first = results;
          results = undefined;
          return first;
        }
        child.stdin.write("\n");
        await next();
        return new Float32Array();
      };
      return { units: batch * steps, run };
    },
  };
}
