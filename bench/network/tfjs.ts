import { createRequire } from "node:module";

import type { Graph, Node } from "../../src/graph/types.js";
import { foldConstants, root } from "../library.js";
import type { Job, Library, Work } from "./protocol.js";
import { images, joined, logitsGraph, weights, workload, type ModelName } from "./workload.js";

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
  mean(x: TfTensor, axes: readonly number[]): TfTensor;
  maxPool(x: TfTensor, kernel: number, stride: number, padding: number): TfTensor;
  avgPool(x: TfTensor, kernel: number, stride: number, padding: number): TfTensor;
  logSoftmax(x: TfTensor): TfTensor;
  oneHot(labels: TfTensor, classes: number): TfTensor;
  neg(x: TfTensor): TfTensor;
  step(x: TfTensor): TfTensor;
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
  const network = (name: ModelName, operations: Operations): ((x: TfTensor) => TfTensor[]) => {
    const { model } = workload(name);
    return importGraph(tf, operations, logitsGraph(model), weights(model));
  };

  const jobs: Partial<Record<Work["kind"], (work: Work) => Job>> = {
    forward: ({ model: name, batch }) => {
      const { model } = workload(name);
      const forward = network(name, fusedOperations(tf));
      const { x } = images(model, batch);
      return {
        units: batch,
        run: async () => {
          const input = upload(tf, x, [batch, ...model.inputShape]);
          const outputs = tf.tidy(() => forward(input));
          const values = await Promise.all(outputs.map((output) => output.data()));
          for (const tensor of [input, ...outputs]) tensor.dispose();
          return joined(values);
        },
      };
    },
    "pgd-step": ({ model: name, batch, steps }) => {
      const { model, attack } = workload(name);
      const differentiable = network(name, plainOperations(tf));
      const { x, y } = images(model, batch);
      const labels = tf.tidy(() => tf.oneHot(tf.tensor(y, [batch], "int32"), model.classes));
      const origin = upload(tf, x, [batch, ...model.inputShape]);
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
        const moved = tf.add(image, tf.mul(sign(tf, gradient(image)), attack.step));
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

/** Images as TensorFlow.js has them, channels last. */
function upload(tf: Tf, x: Float32Array, shape: readonly number[]): TfTensor {
  return tf.tidy(() => tf.transpose(tf.tensor(x, shape), [0, 2, 3, 1]));
}

type Conv = Node<"conv2d">;
type Linear = Node<"linear">;
type Pool = Node<"maxPool2d" | "avgPool2d">;

interface Convolution {
  readonly x: TfTensor;
  readonly filter: TfTensor;
  readonly strides: number;
  readonly pad: number;
  readonly bias: TfTensor;
  /** Added before the ReLU. */
  readonly residual: TfTensor | undefined;
  readonly relu: boolean;
}

/** Convolutions and matrix products with what follows them. */
interface Operations {
  conv2d(conv: Convolution): TfTensor;
  matMul(a: TfTensor, b: TfTensor, bias: TfTensor, relu: boolean): TfTensor;
  /** Over square windows that lie side by side. */
  maxPool(x: TfTensor, size: number): TfTensor;
  avgPool(x: TfTensor, size: number): TfTensor;
}

function fusedOperations(tf: Tf): Operations {
  const activation = (relu: boolean): "relu" | "linear" => (relu ? "relu" : "linear");
  return {
    conv2d: ({ residual, relu, ...conv }) => {
      if (residual === undefined) return tf.fused.conv2d({ ...conv, activation: activation(relu) });
      const sum = tf.add(tf.fused.conv2d({ ...conv, activation: "linear" }), residual);
      return relu ? tf.relu(sum) : sum;
    },
    matMul: (a, b, bias, relu) => tf.fused.matMul({ a, b, bias, activation: activation(relu) }),
    maxPool: (x, size) => tf.maxPool(x, size, size, 0),
    avgPool: (x, size) => tf.avgPool(x, size, size, 0),
  };
}

/**
 * What has a gradient on wasm. That of a fused operation is the gradient of its weights too, even if nobody asks for it, and there is no kernel for
 * it; that of maxPool is wrong in TensorFlow.js 4.22.
 */
function plainOperations(tf: Tf): Operations {
  const activated = (x: TfTensor, relu: boolean): TfTensor => (relu ? tf.relu(x) : x);
  return {
    conv2d: ({ x, filter, strides, pad, bias, residual, relu }) => {
      const sum = tf.add(tf.conv2d(x, filter, strides, pad), bias);
      return activated(residual === undefined ? sum : tf.add(sum, residual), relu);
    },
    matMul: (a, b, bias, relu) => activated(tf.add(tf.matMul(a, b), bias), relu),
    maxPool: (x, size) => tf.max(windows(tf, x, size), [2, 4]),
    avgPool: (x, size) => tf.mean(windows(tf, x, size), [2, 4]),
  };
}

/** -1, 0 or 1 of each element: TensorFlow.js's own is 0 of what is nearer to 0 than 1e-7, as gradients of images are that a network is sure of. */
function sign(tf: Tf, x: TfTensor): TfTensor {
  return tf.sub(tf.step(x), tf.step(tf.neg(x)));
}

/** Square windows side by side: their rows are axis 2, their columns axis 4. */
function windows(tf: Tf, x: TfTensor, size: number): TfTensor {
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  return tf.reshape(x, [batch, height / size, size, width / size, size, channels]);
}

/** A graph of ours as a function of TensorFlow.js. @throws Error if it has operations that the benchmark does not know there */
function importGraph(
  tf: Tf,
  operations: Operations,
  original: Graph,
  weights: ReadonlyMap<string, Float32Array>,
): (x: TfTensor) => TfTensor[] {
  const { graph, params } = foldConstants(original, weights);
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
        const { stride, padding, groups, relu } = (node as Conv).attrs;
        if (groups !== 1) throw new Error("Expected convolutions without groups");
        const [filter, bias] = [at(node.in[1]!), at(node.in[2]!)];
        const added = node.in[3] ?? null;
        const residual = added === null ? undefined : at(added);
        return operations.conv2d({ x, filter, strides: stride, pad: padding, bias, residual, relu });
      }
      case "linear":
        return operations.matMul(x, at(node.in[1]!), at(node.in[2]!), (node as Linear).attrs.relu);
      case "maxPool2d":
      case "avgPool2d": {
        const { kernel, stride, padding } = (node as Pool).attrs;
        if (stride !== kernel || padding !== 0) throw new Error("Expected pooling windows side by side");
        return node.op === "maxPool2d" ? operations.maxPool(x, kernel) : operations.avgPool(x, kernel);
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
