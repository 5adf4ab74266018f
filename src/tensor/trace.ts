import { GraphBuilder } from "../graph/builder.js";
import { differentiate } from "../graph/differentiate.js";
import type { Graph } from "../graph/types.js";
import type { Spec } from "../ops/spec.js";
import { ArgumentError } from "../util/errors.js";
import { runEager } from "./apply.js";
import { Tensor } from "./tensor.js";

/** What a traced function is given to name its inputs, parameters and outputs. */
export class Tracer {
  readonly #builder = new GraphBuilder();

  /** The input of this name; the same tensor at every call. */
  input(name: string, spec: Spec): Tensor {
    return Tensor.traced(this.#builder, this.#builder.input(name, spec));
  }

  /** The parameter of this name; the same tensor at every call. */
  param(name: string, spec: Spec): Tensor {
    return Tensor.traced(this.#builder, this.#builder.param(name, spec));
  }

  /** Names an output; `replaces` names the input or parameter that takes its value, before the next repetition or for good. */
  output(name: string, tensor: Tensor, replaces?: string): void {
    const { traced } = tensor;
    if (traced?.builder !== this.#builder)
      throw new ArgumentError(`Expected a tensor of this trace for output ${name} but received another`);
    this.#builder.output(name, traced.value, replaces);
  }

  graph(): Graph {
    return this.#builder.build();
  }
}

/** Records a function of tensors as a graph. */
export function trace(f: (tracer: Tracer) => void): Graph {
  const tracer = new Tracer();
  f(tracer);
  return tracer.graph();
}

/**
 * Inside a trace: the gradients of `loss` ([], or [N], which stands for its sum) with respect to each of `wrt`.
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): Tensor[] {
  const { traced } = loss;
  if (traced === undefined)
    throw new ArgumentError("Expected a traced loss but received an eager tensor; for eager gradients use grad");
  const values = wrt.map((tensor) => {
    if (tensor.traced?.builder !== traced.builder)
      throw new ArgumentError("Expected tensors of the loss's trace but received another");
    return tensor.traced.value;
  });
  return differentiate(traced.builder, traced.value, values).map((value) => Tensor.traced(traced.builder, value));
}

/**
 * The gradient function of a loss: takes what `f` takes, and returns the loss and its gradient with respect to every f32 operand. Works
 * on eager tensors (as one plan, cached for each set of shapes) and inside a trace.
 */
export function grad(
  f: (...operands: Tensor[]) => Tensor,
): (...operands: Tensor[]) => { loss: Tensor; gradients: Tensor[] } {
  const differentiated = (inputs: readonly (Tensor | null)[]): Tensor[] => {
    const tensors = inputs as readonly Tensor[];
    const loss = f(...tensors);
    return [
      loss,
      ...gradients(
        loss,
        tensors.filter(({ dtype }) => dtype === "f32"),
      ),
    ];
  };
  const id = `grad${++functions}`;
  return (...operands) => {
    const traced = operands.some((operand) => operand.traced !== undefined);
    const key = `${id}:${JSON.stringify(operands.map(({ spec }) => spec))}`;
    const [loss, ...rest] = traced ? differentiated(operands) : runEager(key, operands, differentiated);
    return { loss: loss!, gradients: rest };
  };
}

let functions = 0;
