import { branched } from "../../src/models/branched.js";
import type { Initializer } from "../../src/nn/init.js";
import {
  batchNorm2d,
  conv2d,
  flatten,
  identity,
  lambda,
  linear,
  maxPool2d,
  relu,
  sequential,
  sum,
  type Layer,
} from "../../src/nn/layers.js";
import * as F from "../../src/tensor/functional.js";

const around =
  (center: number, spread: number): Initializer =>
  (spec, random) =>
    Float32Array.from({ length: spec.shape[0] as number }, () => center + random.uniform(-spread, spread));

/** Batch norm as if it had been trained: running statistics that change something. */
function batchNorm(name: string, channels: number): Layer {
  const layer = batchNorm2d(name, channels);
  const statistics = { running_mean: around(0, 0.2), running_var: around(1, 0.5) };
  const drawn = Object.entries(statistics).map(
    ([part, init]) => [`${name}.${part}`, { ...layer.params.get(`${name}.${part}`)!, init }] as const,
  );
  return { params: new Map([...layer.params, ...drawn]), forward: (x, scope) => layer.forward(x, scope) };
}

/** A convolution without bias; `groups` = channels is a depthwise one. */
const normalized = (name: string, inputs: number, outputs: number, kernel: number, stride = 1, groups = 1): Layer =>
  sequential(
    conv2d(`${name}.conv`, inputs, outputs, { kernel, stride, padding: (kernel - 1) / 2, groups, bias: false }),
    batchNorm(`${name}.bn`, outputs),
  );

/** relu(body(x) + shortcut(x)). */
const block = (body: Layer, shortcut: Layer): Layer => sequential(sum(body, shortcut), relu);

const basic = (name: string, channels: number): Layer =>
  block(
    sequential(normalized(`${name}.a`, channels, channels, 3), relu, normalized(`${name}.b`, channels, channels, 3)),
    identity,
  );

const average = (kernel: number, padding = 0): Layer =>
  lambda((x) => F.avgPool2d(x, { kernel, stride: kernel, padding }));

const stages: readonly Layer[] = [
  sequential(normalized("stem", 3, 8, 3), relu, basic("block1", 8), basic("block2", 8), basic("block3", 8)),
  block(
    sequential(
      normalized("down.expand", 8, 24, 1),
      relu,
      normalized("down.depthwise", 24, 24, 3, 2, 24),
      relu,
      normalized("down.project", 24, 16, 1),
    ),
    normalized("down.shortcut", 8, 16, 1, 2),
  ),
  sequential(basic("block4", 16), average(4), flatten, linear("fc", 16, 5)),
];

const branches: readonly Layer[] = [
  sequential(maxPool2d(2), average(3, 1), flatten, linear("branch1", 32, 5)),
  // Normalizes after a pool, where there is no convolution to fold into.
  sequential(average(4), batchNorm("branch2.bn", 16), flatten, linear("branch2.fc", 16, 5)),
];

/** Residual blocks with batch norm, a depthwise convolution and a strided shortcut; three exits, for the tests of residual networks. */
export const [residualModel] = branched({ name: "residual", classes: 5, inputShape: [3, 8, 8], stages, branches });
