import type { Backend, HostArray, Slot } from "../backends/backend.js";
import { allocFor } from "../backends/binding.js";
import type { GraphBuilder } from "../graph/builder.js";
import type { Value } from "../graph/types.js";
import {
  concreteShape,
  formatSpec,
  imageElements,
  isPerImage,
  product,
  type DType,
  type Shape,
  type Spec,
} from "../ops/spec.js";
import { ArgumentError } from "../util/errors.js";
import type { Disposable } from "../util/disposable.js";

/** Where an eager tensor's numbers are. */
export interface EagerStorage {
  readonly backend: Backend;
  readonly slot: Slot;
  /** Images in the batch; 1 for a whole value. */
  readonly batch: number;
}

/** What a traced tensor stands for. */
export interface TracedValue {
  readonly builder: GraphBuilder;
  readonly value: Value;
}

/**
 * A tensor: either eager, with numbers in a backend's memory, or traced, standing for a value of a graph that is being built. Functions of
 * tensors (see functional.ts) work on both.
 *
 * Shapes are row-major and NCHW; a first dimension "N" marks the batch. Eager tensors hold memory until `dispose()`, or the end of the
 * block with `using`.
 */
export class Tensor implements Disposable {
  #eager: EagerStorage | undefined;
  readonly #traced: TracedValue | undefined;

  private constructor(
    readonly spec: Spec,
    storage: { eager: EagerStorage } | { traced: TracedValue },
  ) {
    this.#eager = "eager" in storage ? storage.eager : undefined;
    this.#traced = "traced" in storage ? storage.traced : undefined;
  }

  static eager(spec: Spec, storage: EagerStorage): Tensor {
    return new Tensor(spec, { eager: storage });
  }

  static traced(builder: GraphBuilder, value: Value): Tensor {
    return new Tensor(builder.spec(value), { traced: { builder, value } });
  }

  get dtype(): DType {
    return this.spec.dtype;
  }

  /** The sizes; of a traced tensor with "N" for the batch. */
  get shape(): Shape {
    return this.#traced === undefined ? concreteShape(this.spec, this.eager.batch) : this.spec.shape;
  }

  get traced(): TracedValue | undefined {
    return this.#traced;
  }

  /** @throws ArgumentError if the tensor is traced or disposed of. */
  get eager(): EagerStorage {
    if (this.#eager === undefined) {
      throw new ArgumentError(
        `Expected a live eager tensor but received a ${this.#traced ? "traced" : "disposed"} one, ${formatSpec(this.spec)}`,
      );
    }
    return this.#eager;
  }

  /** Copies the numbers out, row-major and NCHW. */
  data(): Promise<HostArray> {
    const { backend, slot, batch } = this.eager;
    return backend.read(slot, this.spec.dtype, imageElements(this.spec) * (isPerImage(this.spec) ? batch : 1));
  }

  dispose(): void {
    this.#eager?.backend.free(this.#eager.slot);
    this.#eager = undefined;
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * An eager tensor on `backend`. `shape` may begin with "N": the batch is then found from the length of `data`. Int32Array data makes an i32
 * tensor.
 *
 * @throws ArgumentError if the data's length does not fit the shape.
 */
export function tensor(backend: Backend, data: HostArray | readonly number[], shape: Shape): Tensor {
  const numbers = data instanceof Int32Array || data instanceof Float32Array ? data : Float32Array.from(data);
  const spec: Spec = { shape, dtype: numbers instanceof Int32Array ? "i32" : "f32" };
  const batch = batchOf(spec, numbers.length);
  const slot = allocFor(backend, spec, batch);
  backend.write(slot, numbers);
  return Tensor.eager(spec, { backend, slot, batch });
}

/**
 * The images of a value of that many elements; 1 for a whole value.
 *
 * @throws ArgumentError if there is no such value
 */
export function batchOf(spec: Spec, elements: number): number {
  const batch = isPerImage(spec) ? elements / imageElements(spec) : 1;
  if (!Number.isInteger(batch) || batch < 1 || elements !== product(concreteShape(spec, batch)))
    throw new ArgumentError(`Expected elements for shape [${spec.shape.join(",")}] but received ${elements}`);
  return batch;
}
