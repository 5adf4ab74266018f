import { onnxModel } from "../library.js";
import type { Library } from "./protocol.js";
import { images, joined, logitsGraph, model, weights } from "./workload.js";

/** ONNX Runtime's WebAssembly build. It computes no gradients. */
export async function openOnnxruntime(threads: number): Promise<Library> {
  // Not at the top of the file: the processes of the other libraries have no use for it.
  const ort = await import("onnxruntime-web");
  ort.env.wasm.numThreads = threads;
  const graph = logitsGraph();
  const session = await ort.InferenceSession.create(onnxModel(graph, weights()), { executionProviders: ["wasm"] });
  return {
    prepare: async ({ kind, batch }) => {
      if (kind !== "forward") throw new Error(`ONNX Runtime Web cannot do a ${kind}: it computes no gradients`);
      const { x } = images(batch);
      const run = async (): Promise<Float32Array> => {
        const outputs = await session.run({ images: new ort.Tensor("float32", x, [batch, ...model.inputShape]) });
        return joined([...graph.outputs.keys()].map((name) => outputs[name]!.data as Float32Array));
      };
      return { units: batch, run };
    },
  };
}
