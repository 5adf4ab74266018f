import { createRequire } from "node:module";

import { root } from "../library.js";
import { onnxModel } from "./onnx.js";
import type { Library } from "./protocol.js";
import { images, joined, logitsGraph, model, weights } from "./workload.js";

/** The part of ONNX Runtime Web's interface that is used here: its own types are there only once bench/ is installed. */
interface Ort {
  readonly env: { readonly wasm: { numThreads: number } };
  readonly Tensor: new (type: "float32", data: Float32Array, shape: readonly number[]) => OrtTensor;
  readonly InferenceSession: {
    create(model: Uint8Array, options: { executionProviders: readonly string[] }): Promise<OrtSession>;
  };
}
interface OrtTensor {
  readonly data: Float32Array;
}
interface OrtSession {
  run(inputs: Record<string, OrtTensor>): Promise<Record<string, OrtTensor>>;
}

/** ONNX Runtime's WebAssembly build. It computes no gradients. */
export async function openOnnxruntime(threads: number): Promise<Library> {
  const ort = createRequire(new URL("bench/package.json", root))("onnxruntime-web") as Ort;
  ort.env.wasm.numThreads = threads;
  const graph = logitsGraph();
  const session = await ort.InferenceSession.create(onnxModel(graph, weights()), { executionProviders: ["wasm"] });
  return {
    prepare: async ({ kind, batch }) => {
      if (kind !== "forward") throw new Error(`ONNX Runtime Web cannot do a ${kind}: it computes no gradients`);
      const { x } = images(batch);
      const run = async (): Promise<Float32Array> => {
        const outputs = await session.run({ images: new ort.Tensor("float32", x, [batch, ...model.inputShape]) });
        return joined([...graph.outputs.keys()].map((name) => outputs[name]!.data));
      };
      return { units: batch, run };
    },
  };
}
