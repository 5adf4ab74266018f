import type { ExitModel } from "../../src/nn/exit-model.js";
import { ones, zeros, type Initializer } from "../../src/nn/init.js";
import {
  conv2d,
  flatten,
  lambda,
  linear,
  maxPool2d,
  relu,
  sequential,
  type Layer,
  type ParamSpec,
} from "../../src/nn/layers.js";
import { f32 } from "../../src/ops/spec.js";
import * as F from "../../src/tensor/functional.js";

const around =
  (center: number, spread: number): Initializer =>
  (spec, random) =>
    Float32Array.from({ length: spec.shape[0] as number }, () => center + random.uniform(-spread, spread));

/** Batch norm in eval mode: computed from its parameters and running statistics. */
function batchNorm(name: string, channels: number): Layer {
  const spec = f32(channels);
  return {
    params: new Map<string, ParamSpec>([
      [`${name}.weight`, { spec, init: ones }],
      [`${name}.bias`, { spec, init: zeros }],
      [`${name}.running_mean`, { spec, init: around(0, 0.2), statistic: true }],
      [`${name}.running_var`, { spec, init: around(1, 0.5), statistic: true }],
    ]),
    forward(x, scope) {
      const scale = F.div(scope.param(`${name}.weight`), F.sqrt(F.add(scope.param(`${name}.running_var`), 1e-5)));
      const mean = scope.param(`${name}.running_mean`);
      return F.channelAffine(x, scale, F.sub(scope.param(`${name}.bias`), F.mul(mean, scale)));
    },
  };
}

/** A convolution without bias; `groups` = channels is a depthwise one. */
function convolution(name: string, inputs: number, outputs: number, kernel: number, stride = 1, groups = 1): Layer {
  const { params } = conv2d(name, inputs / groups, outputs, { kernel });
  const weight = `${name}.weight`;
  return {
    params: new Map([[weight, params.get(weight)!]]),
    forward: (x, scope) => F.conv2d(x, scope.param(weight), { stride, padding: Math.floor(kernel / 2), groups }),
  };
}

const normalized = (
  name: string,
  ...sizes: [inputs: number, outputs: number, kernel: number, stride?: number, groups?: number]
): Layer => sequential(convolution(`${name}.conv`, ...sizes), batchNorm(`${name}.bn`, sizes[1]));

/** relu(body(x) + shortcut(x)). */
function block(body: Layer, shortcut: Layer): Layer {
  return {
    params: new Map([...body.params, ...shortcut.params]),
    forward: (x, scope) => F.relu(F.add(body.forward(x, scope), shortcut.forward(x, scope))),
  };
}

const basic = (name: string, channels: number): Layer =>
  block(
    sequential(normalized(`${name}.a`, channels, channels, 3), relu, normalized(`${name}.b`, channels, channels, 3)),
    lambda((x) => x),
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

const params = new Map([...stages, ...branches].flatMap((layer) => [...layer.params]));

/** Residual blocks with batch norm, a depthwise convolution and a strided shortcut; three exits, for the tests of residual networks. */
export const residualModel: ExitModel = {
  name: "rdi-residual",
  get backbone() {
    return residualModel;
  },
  classes: 5,
  inputShape: [3, 8, 8],
  exits: 3,
  params,
  forward(x, scope) {
    let value = x;
    return stages.map((stage, i) => {
      value = stage.forward(value, scope);
      return branches[i]?.forward(value, scope) ?? value;
    });
  },
};
