import { createRequire } from "node:module";
import type * as OnnxRuntime from "onnxruntime-web";

import { onnxModel, root } from "../library.js";
import type { Library } from "./protocol.js";
import { exitsOf, images, joined, logitsGraph, weights, workload } from "./workload.js";

/** ONNX Runtime's WebAssembly build. */
export async function openOnnxruntimeWeb(threads: number): Promise<Library> {
  // Not at the top of the file: the processes of the other libraries have no use for it.
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = threads;
  return library(ort, { executionProviders: ["wasm"] });
}

/** ONNX Runtime's native build. */
export async function openOnnxruntimeNode(threads: number): Promise<Library> {
  // Its interface is that of onnxruntime-web.
  const ort = createRequire(new URL("bench/package.json", root))("onnxruntime-node") as typeof OnnxRuntime;
  return library(ort, { executionProviders: ["cpu"], intraOpNumThreads: threads, interOpNumThreads: 1 });
}

/** It computes no gradients. */
function library(ort: typeof OnnxRuntime, options: OnnxRuntime.InferenceSession.SessionOptions): Library {
  return {
    prepare: async (work) => {
      const { kind, model: name, batch } = work;
      if (kind !== "forward") throw new Error(`ONNX Runtime cannot do a ${kind}: it computes no gradients`);
      const { model } = workload(name);
      const graph = logitsGraph(model, exitsOf(work));
      const session = await ort.InferenceSession.create(onnxModel(graph, weights(model)), options);
      const { x } = images(model, batch);
      const run = async (): Promise<Float32Array> => {
        const outputs = await session.run({ images: new ort.Tensor("float32", x, [batch, ...model.inputShape]) });
        return joined([...graph.outputs.keys()].map((output) => outputs[output]!.data as Float32Array));
      };
      return { units: batch, run };
    },
  };
}
