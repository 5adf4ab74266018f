import { f32, type Spec } from "../ops/spec.js";
import * as F from "../tensor/functional.js";
import type { Tensor } from "../tensor/tensor.js";
import { kaimingNormal, linearUniform, ones, zeros, type Initializer } from "./init.js";

export interface ParamSpec {
  readonly spec: Spec;
  readonly init: Initializer;
  /** Statistics are not learned: the forward pass in train mode updates them. */
  readonly statistic?: boolean;
}

/** What a layer's forward pass takes from its surroundings. */
export interface Scope {
  /** The parameter of this name. */
  param(name: string): Tensor;
  /** Present in train mode. */
  readonly training?: TrainingScope;
}

/** What layers need that differ in train mode. */
export interface TrainingScope {
  /** What random masks depend on; without it there are none. */
  readonly random?: F.RandomSource | undefined;
  /** Gives a statistic its next value. */
  update(name: string, value: Tensor): void;
}

/** A layer: named parameters, and a function of a tensor. */
export interface Layer {
  readonly params: ReadonlyMap<string, ParamSpec>;
  forward(x: Tensor, scope: Scope): Tensor;
}

export interface ConvOptions {
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
  readonly init?: Initializer;
}

/** Convolution; parameters `<name>.weight` [O,C/groups,k,k] and, with bias, `<name>.bias` [O]. */
export function conv2d(name: string, inputs: number, outputs: number, options: ConvOptions): Layer {
  const { kernel, stride = 1, padding = 0, groups = 1, bias = true, init = kaimingNormal } = options;
  const weight: [string, ParamSpec] = [`${name}.weight`, { spec: f32(outputs, inputs / groups, kernel, kernel), init }];
  return {
    params: new Map(bias ? [weight, [`${name}.bias`, { spec: f32(outputs), init: zeros }]] : [weight]),
    forward: (x, scope) =>
      F.conv2d(x, scope.param(`${name}.weight`), {
        ...(bias && { bias: scope.param(`${name}.bias`) }),
        stride,
        padding,
        groups,
      }),
  };
}

/** PyTorch's defaults: added to the variance, and the weight of a new batch in the running statistics. */
const NORM_EPS = 1e-5;
const NORM_MOMENTUM = 0.1;

/**
 * Batch norm over the channels of [N,C,H,W]; parameters `<name>.weight`, `.bias`, `.running_mean` and `.running_var` [C], as PyTorch's. In train mode it
 * normalises with the statistics of the batch, and moves the running ones towards them; else it uses the running ones.
 */
export function batchNorm2d(name: string, channels: number): Layer {
  const spec = f32(channels);
  const [weightName, biasName, meanName, varianceName] = ["weight", "bias", "running_mean", "running_var"].map(
    (part) => `${name}.${part}`,
  ) as [string, string, string, string];
  return {
    params: new Map<string, ParamSpec>([
      [weightName, { spec, init: ones }],
      [biasName, { spec, init: zeros }],
      [meanName, { spec, init: zeros, statistic: true }],
      [varianceName, { spec, init: ones, statistic: true }],
    ]),
    forward(x, scope) {
      const [weight, bias] = [scope.param(weightName), scope.param(biasName)];
      const [mean, variance] = [scope.param(meanName), scope.param(varianceName)];
      if (scope.training === undefined) {
        const scale = F.div(weight, F.sqrt(F.add(variance, NORM_EPS)));
        return F.channelAffine(x, scale, F.sub(bias, F.mul(mean, scale)));
      }
      const batch = F.batchNorm(x, weight, bias, NORM_EPS);
      const moved = (running: Tensor, own: Tensor): Tensor => F.add(running, F.mul(F.sub(own, running), NORM_MOMENTUM));
      scope.training.update(meanName, moved(mean, batch.mean));
      scope.training.update(varianceName, moved(variance, batch.unbiasedVariance));
      return batch.y;
    },
  };
}

/** Fully connected layer; parameters `<name>.weight` [O,K] and `<name>.bias` [O]. */
export function linear(name: string, inputs: number, outputs: number, init?: Initializer): Layer {
  return {
    params: new Map([
      [`${name}.weight`, { spec: f32(outputs, inputs), init: init ?? linearUniform() }],
      [`${name}.bias`, { spec: f32(outputs), init: init ?? linearUniform(inputs) }],
    ]),
    forward: (x, scope) => F.linear(x, scope.param(`${name}.weight`), scope.param(`${name}.bias`)),
  };
}

/** A layer without parameters. */
export function lambda(forward: (x: Tensor, scope: Scope) => Tensor): Layer {
  return { params: new Map(), forward };
}

export const relu = lambda(F.relu);
export const flatten = lambda(F.flatten);

export function maxPool2d(kernel: number): Layer {
  return lambda((x) => F.maxPool2d(x, { kernel }));
}

export function avgPool2d(kernel: number): Layer {
  return lambda((x) => F.avgPool2d(x, { kernel }));
}

/**
 * While training, zeroes a fraction `rate` of the elements (Srivastava et al. 2014); at inference the identity. `stream` must differ between
 * the dropout layers of a network.
 */
export function dropout(rate: number, stream: number): Layer {
  return lambda((x, { training }) =>
    training?.random === undefined ? x : F.dropout(x, training.random, rate, stream),
  );
}

/** Layers one after the other. */
export function sequential(...layers: Layer[]): Layer {
  return {
    params: new Map(layers.flatMap((layer) => [...layer.params])),
    forward: (x, scope) => layers.reduce((value, layer) => layer.forward(value, scope), x),
  };
}

/** The sum of two layers' outputs. */
export function sum(a: Layer, b: Layer): Layer {
  return {
    params: new Map([...a.params, ...b.params]),
    forward: (x, scope) => F.add(a.forward(x, scope), b.forward(x, scope)),
  };
}

export const identity = lambda((x) => x);
