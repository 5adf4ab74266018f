import { createRequire } from "node:module";

import type { Graph, Node } from "../../src/graph/types.js";
import { root } from "../library.js";
import type { Job, Library, Work } from "./protocol.js";
import { images, joined, logitsGraph, weights, workload } from "./workload.js";

/** The part of TensorFlow.js's interface that is used here: its own types are there only once bench/ is installed. */
interface TfTensor {
  readonly shape: number[];
  data(): Promise<Float32Array>;
  dispose(): void;
}
interface Tf {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  getBackend(): string;
  tensor(values: ArrayLike<number>, shape: readonly number[], dtype?: "float32" | "int32"): TfTensor;
  tidy<T>(f: () => T): T;
  transpose(x: TfTensor, axes: readonly number[]): TfTensor;
  reshape(x: TfTensor, shape: readonly number[]): TfTensor;
  relu(x: TfTensor): TfTensor;
  conv2d(x: TfTensor, filter: TfTensor, strides: number, pad: number): TfTensor;
  matMul(a: TfTensor, b: TfTensor): TfTensor;
  max(x: TfTensor, axes: readonly number[]): TfTensor;
  maxPool(x: TfTensor, kernel: number, stride: number, padding: number): TfTensor;
  logSoftmax(x: TfTensor): TfTensor;
  oneHot(labels: TfTensor, classes: number): TfTensor;
  neg(x: TfTensor): TfTensor;
  sign(x: TfTensor): TfTensor;
  sum(x: TfTensor): TfTensor;
  add(a: TfTensor, b: TfTensor): TfTensor;
  mul(a: TfTensor, b: TfTensor | number): TfTensor;
  sub(a: TfTensor, b: TfTensor | number): TfTensor;
  minimum(a: TfTensor, b: TfTensor): TfTensor;
  maximum(a: TfTensor, b: TfTensor): TfTensor;
  clipByValue(x: TfTensor, low: number, high: number): TfTensor;
  grad(f: (x: TfTensor) => TfTensor): (x: TfTensor) => TfTensor;
  readonly fused: {
    conv2d(options: {
      x: TfTensor;
      filter: TfTensor;
      strides: number;
      pad: number;
      bias: TfTensor;
      activation: "relu" | "linear";
    }): TfTensor;
    matMul(options: { a: TfTensor; b: TfTensor; bias: TfTensor; activation: "relu" | "linear" }): TfTensor;
  };
}
interface TfWasm {
  setThreadsCount(count: number): void;
}

/** TensorFlow.js on its WebAssembly backend. Its threads do not start in Node, so it has one. */
export async function openTfjs(): Promise<Library> {
  const require = createRequire(new URL("bench/package.json", root));
  const tf = require("@tensorflow/tfjs") as Tf;
  (require("@tensorflow/tfjs-backend-wasm") as TfWasm).setThreadsCount(1);
  await tf.setBackend("wasm");
  await tf.ready();
  if (tf.getBackend() !== "wasm") throw new Error(`Expected TensorFlow.js on wasm but it chose ${tf.getBackend()}`);
  const { model, attack } = workload("rdi-smallcnn");
  const forward = importGraph(tf, fusedOperations(tf), logitsGraph(model), weights(model));
  const differentiable = importGraph(tf, plainOperations(tf), logitsGraph(model), weights(model));

  /** Images as TensorFlow.js has them, channels last. */
  const upload = (x: Float32Array, batch: number): TfTensor =>
    tf.tidy(() => tf.transpose(tf.tensor(x, [batch, ...model.inputShape]), [0, 2, 3, 1]));

  const jobs: Partial<Record<Work["kind"], (work: Work) => Job>> = {
    forward: ({ batch }) => {
      const { x } = images(model, batch);
      return {
        units: batch,
        run: async () => {
          const input = upload(x, batch);
          const outputs = tf.tidy(() => forward(input));
          const values = await Promise.all(outputs.map((output) => output.data()));
          for (const tensor of [input, ...outputs]) tensor.dispose();
          return joined(values);
        },
      };
    },
    "pgd-step": ({ batch, steps }) => {
      const { x, y } = images(model, batch);
      const labels = tf.tidy(() => tf.oneHot(tf.tensor(y, [batch], "int32"), model.classes));
      const origin = upload(x, batch);
      const [low, high] = tf.tidy(() => [tf.sub(origin, attack.eps), tf.sub(origin, -attack.eps)] as const);
      const crossEntropy = (logits: TfTensor): TfTensor => tf.neg(tf.sum(tf.mul(labels, tf.logSoftmax(logits))));
      const gradient = tf.grad((image) =>
        tf.mul(
          differentiable(image)
            .map(crossEntropy)
            .reduce((a, b) => tf.add(a, b)),
          1 / model.exits,
        ),
      );
      const next = (image: TfTensor): TfTensor => {
        const moved = tf.add(image, tf.mul(tf.sign(gradient(image)), attack.step));
        return tf.clipByValue(tf.minimum(tf.maximum(moved, low), high), 0, 1);
      };
      return {
        units: batch * steps,
        run: async () => {
          const result = tf.tidy(() => {
            let image = origin;
            for (let step = 0; step < steps; step++) image = next(image);
            return tf.transpose(image, [0, 3, 1, 2]);
          });
          const values = await result.data();
          result.dispose();
          return values;
        },
      };
    },
  };
  return {
    prepare: async (work) => {
      const job = jobs[work.kind];
      if (job === undefined)
        throw new Error(`TensorFlow.js on wasm cannot do a ${work.kind}: it lacks Conv2DBackpropFilter`);
      return job(work);
    },
  };
}

type Conv = Node<"conv2d">;
type Linear = Node<"linear">;
type Pool = Node<"maxPool2d">;

/** Convolutions and matrix products with what follows them. */
interface Operations {
  conv2d(x: TfTensor, filter: TfTensor, strides: number, pad: number, bias: TfTensor, relu: boolean): TfTensor;
  matMul(a: TfTensor, b: TfTensor, bias: TfTensor, relu: boolean): TfTensor;
  /** Over square windows that lie side by side. */
  maxPool(x: TfTensor, size: number): TfTensor;
}

function fusedOperations(tf: Tf): Operations {
  const activation = (relu: boolean): "relu" | "linear" => (relu ? "relu" : "linear");
  return {
    conv2d: (x, filter, strides, pad, bias, relu) =>
      tf.fused.conv2d({ x, filter, strides, pad, bias, activation: activation(relu) }),
    matMul: (a, b, bias, relu) => tf.fused.matMul({ a, b, bias, activation: activation(relu) }),
    maxPool: (x, size) => tf.maxPool(x, size, size, 0),
  };
}

/**
 * What has a gradient on wasm. That of a fused operation is the gradient of its weights too, even if nobody asks for it, and there is no kernel for
 * it; that of maxPool is wrong in TensorFlow.js 4.22.
 */
function plainOperations(tf: Tf): Operations {
  const activated = (x: TfTensor, relu: boolean): TfTensor => (relu ? tf.relu(x) : x);
  return {
    conv2d: (x, filter, strides, pad, bias, relu) => activated(tf.add(tf.conv2d(x, filter, strides, pad), bias), relu),
    matMul: (a, b, bias, relu) => activated(tf.add(tf.matMul(a, b), bias), relu),
    maxPool: (x, size) => {
      const [batch, height, width, channels] = x.shape as [number, number, number, number];
      return tf.max(tf.reshape(x, [batch, height / size, size, width / size, size, channels]), [2, 4]);
    },
  };
}

/** A graph of ours as a function of TensorFlow.js. */
function importGraph(
  tf: Tf,
  operations: Operations,
  graph: Graph,
  params: ReadonlyMap<string, Float32Array>,
): (x: TfTensor) => TfTensor[] {
  const shapeOf = (value: number): number[] => graph.specs[value]!.shape.map((size) => (size === "N" ? -1 : size));
  const constants = new Map<number, TfTensor>();
  for (const [name, value] of graph.params) {
    const shape = shapeOf(value);
    const tensor = tf.tensor(params.get(name)!, shape);
    constants.set(value, shape.length === 4 ? tf.transpose(tensor, [2, 3, 1, 0]) : tensor);
  }
  // A linear layer's weights are transposed here once: in TensorFlow.js 4.22 the fused product with a transposed matrix is wrong on wasm. Those that
  // follow a flattening are put in its order as well, which has channels last here and first in ours.
  for (const node of graph.nodes) {
    if (node.op !== "linear") continue;
    const weight = constants.get(node.in[1]!)!;
    const [outputs, inputs] = weight.shape as [number, number];
    const flatten = graph.nodes.find(({ op, out }) => op === "reshape" && out === node.in[0]);
    const [, channels, height, width] = flatten === undefined ? [-1, inputs, 1, 1] : shapeOf(flatten.in[0]!);
    const moved = tf.tidy(() => {
      const split = tf.reshape(weight, [outputs, channels!, height!, width!]);
      return tf.reshape(tf.transpose(split, [2, 3, 1, 0]), [inputs, outputs]);
    });
    constants.set(node.in[1]!, moved);
  }
  const step = (node: Node, at: (value: number) => TfTensor): TfTensor => {
    const x = at(node.in[0]!);
    switch (node.op) {
      case "conv2d": {
        const { stride, padding, relu } = (node as Conv).attrs;
        return operations.conv2d(x, at(node.in[1]!), stride, padding, at(node.in[2]!), relu);
      }
      case "linear":
        return operations.matMul(x, at(node.in[1]!), at(node.in[2]!), (node as Linear).attrs.relu);
      case "maxPool2d": {
        const { kernel, stride, padding } = (node as Pool).attrs;
        if (stride !== kernel || padding !== 0) throw new Error("Expected pooling windows side by side");
        return operations.maxPool(x, kernel);
      }
      case "reshape":
        return tf.reshape(x, shapeOf(node.out));
      default:
        throw new Error(`Expected convolutions, linear layers and pooling but received ${node.op}`);
    }
  };
  return (x) => {
    const values = new Map(constants);
    for (const value of graph.inputs.values()) values.set(value, x);
    for (const node of graph.nodes)
      values.set(
        node.out,
        step(node, (value) => values.get(value)!),
      );
    return [...graph.outputs.values()].map((value) => values.get(value)!);
  };
}
