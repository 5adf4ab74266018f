import { f32, type Spec } from "../ops/spec.js";
import * as F from "../tensor/functional.js";
import type { Tensor } from "../tensor/tensor.js";
import { kaimingNormal, linearUniform, zeros, type Initializer } from "./init.js";

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
  /** Present while training: what random masks depend on. */
  readonly random?: F.RandomSource;
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
  readonly init?: Initializer;
}

/** Convolution with bias; parameters `<name>.weight` [O,C,k,k] and `<name>.bias` [O]. */
export function conv2d(name: string, inputs: number, outputs: number, options: ConvOptions): Layer {
  const { kernel, stride = 1, padding = 0, init = kaimingNormal } = options;
  return {
    params: new Map([
      [`${name}.weight`, { spec: f32(outputs, inputs, kernel, kernel), init }],
      [`${name}.bias`, { spec: f32(outputs), init: zeros }],
    ]),
    forward: (x, scope) =>
      F.conv2d(x, scope.param(`${name}.weight`), { bias: scope.param(`${name}.bias`), stride, padding }),
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

/**
 * While training, zeroes a fraction `rate` of the elements (Srivastava et al. 2014); at inference the identity. `stream` must differ between
 * the dropout layers of a network.
 */
export function dropout(rate: number, stream: number): Layer {
  return lambda((x, scope) => (scope.random === undefined ? x : F.dropout(x, scope.random, rate, stream)));
}

/** Layers one after the other. */
export function sequential(...layers: Layer[]): Layer {
  return {
    params: new Map(layers.flatMap((layer) => [...layer.params])),
    forward: (x, scope) => layers.reduce((value, layer) => layer.forward(value, scope), x),
  };
}
