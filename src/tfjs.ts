/**
 * The backend on TensorFlow.js, and conversions between its tensors and ours. `@tensorflow/tfjs-core` and `@tensorflow/tfjs-backend-wasm` are peer
 * dependencies, which only this entry needs: `import … from "rdi-net/tfjs"`.
 */
import type { Tensor as TfTensor } from "@tensorflow/tfjs-core";
import { TfjsBackend } from "./backends/tfjs/tfjs-backend.js";
import type { Tf } from "./backends/tfjs/program.js";
import type { Backend } from "./backends/backend.js";
import { concreteShape, product, type Shape, type Spec } from "./ops/spec.js";
import { allocFor } from "./backends/binding.js";
import { batchOf, Tensor, tensor } from "./tensor/tensor.js";
import { ArgumentError, BackendError } from "./util/errors.js";

export { TfjsBackend };
export type { Tf };

/**
 * Starts TensorFlow.js on its WebAssembly backend, which becomes its current one, and gives a backend of ours that computes with its kernels. Where the files of
 * `@tensorflow/tfjs-backend-wasm` lie, outside Node.js, is told to TensorFlow.js by its own `setWasmPaths`, before.
 *
 * @param tf TensorFlow.js, where the program has one already: `@tensorflow/tfjs-core`, or `@tensorflow/tfjs`
 * @throws BackendError if its WebAssembly backend does not start
 */
export async function createTfjsBackend(tf?: Tf): Promise<TfjsBackend> {
  const core = tf ?? (await import("@tensorflow/tfjs-core"));
  // Null where there is none, which its type does not say.
  const registered: unknown = core.findBackendFactory("wasm");
  if (registered === null) await import("@tensorflow/tfjs-backend-wasm");
  if (!(await core.setBackend("wasm")))
    throw new BackendError("Expected TensorFlow.js's backend wasm to start but it did not; its warnings tell why");
  return new TfjsBackend(core);
}

/**
 * An eager tensor of ours as one of TensorFlow.js, of the same shape (images are [N,C,H,W]) and type. On the backend `tfjs` both share their memory; from
 * another backend the numbers are copied once. Each is disposed of by itself.
 *
 * @param tf TensorFlow.js; that of the tensor's backend, or `@tensorflow/tfjs-core`, if absent
 * @throws ArgumentError if the tensor is traced or disposed of
 */
export async function toTfjs(tensor: Tensor, tf?: Tf): Promise<TfTensor> {
  const { backend, slot, batch } = tensor.eager;
  const shape = concreteShape(tensor.spec, batch);
  if (backend instanceof TfjsBackend) {
    const elements = backend.elements(slot, tensor.dtype, product(shape));
    const shaped = backend.tf.reshape(elements, shape);
    elements.dispose();
    return shaped;
  }
  const core = tf ?? (await import("@tensorflow/tfjs-core"));
  return core.tensor(await tensor.data(), shape, tensor.dtype === "i32" ? "int32" : "float32");
}

/**
 * A tensor of TensorFlow.js, float32 or int32, as an eager one of ours on `backend`. On the backend `tfjs` both share their memory; to another
 * backend the numbers are copied. Each is disposed of by itself.
 *
 * @param shape how the numbers are to be read, row-major, with "N" where it begins with the batch; if absent the tensor's own, with its first dimension as the
 *   batch. Images are [N,C,H,W] here: those with channels last need `tf.transpose(images, [0, 3, 1, 2])` before.
 * @throws ArgumentError if the tensor is of another type, or its size does not fit the shape
 */
export async function fromTfjs(given: TfTensor, backend: Backend, shape?: Shape): Promise<Tensor> {
  if (given.dtype !== "float32" && given.dtype !== "int32")
    throw new ArgumentError(`Expected float32 or int32 for the tensor's type but received ${given.dtype}`);
  const sizes: Shape = shape ?? given.shape.map((size, i) => (i === 0 ? "N" : size));
  if (!(backend instanceof TfjsBackend)) return tensor(backend, await given.data<"float32" | "int32">(), sizes);
  const spec: Spec = { shape: sizes, dtype: given.dtype === "int32" ? "i32" : "f32" };
  const batch = batchOf(spec, given.size);
  const slot = allocFor(backend, spec, batch);
  backend.store(slot, backend.tf.reshape(given, [-1]));
  return Tensor.eager(spec, { backend, slot, batch });
}
