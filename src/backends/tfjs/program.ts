import type * as tfjs from "@tensorflow/tfjs-core";

/** TensorFlow.js: its core, or the package that has all of it. */
export type Tf = typeof tfjs;
export type TfTensor = tfjs.Tensor;

/** A value of a program. */
export type Ref = number & { readonly __ref: unique symbol };

type Tensors<T extends readonly (Ref | null)[]> = { [K in keyof T]: T[K] extends Ref ? TfTensor : TfTensor | null };

/** Calls of TensorFlow.js that make one tensor of others. */
export interface Call {
  readonly in: readonly Ref[];
  readonly out: Ref;
  run(values: ReadonlyMap<Ref, TfTensor>, batch: number): TfTensor;
}

/**
 * Writes a program: calls in the order in which they run. What depends on nothing but sources that are fixed is fixed as well: it is computed
 * once, and again when those sources have changed.
 */
export class ProgramWriter {
  readonly #calls: Call[] = [];
  readonly #fixed = new Set<Ref>();
  readonly #shared = new Map<string, Ref>();
  #next = 0;

  constructor(readonly tf: Tf) {}

  /** A value that the program is given. */
  source(fixed: boolean): Ref {
    const ref = this.#ref();
    if (fixed) this.#fixed.add(ref);
    return ref;
  }

  /** A tensor computed from others, by `f`, which may leave intermediate ones behind: they are disposed of. */
  call<const T extends readonly (Ref | null)[]>(ins: T, f: (tensors: Tensors<T>) => TfTensor): Ref {
    const given = ins.filter((ref) => ref !== null);
    return this.#write(
      ins,
      f,
      given.every((ref) => this.#fixed.has(ref)),
    );
  }

  /** `call` for what depends on the number of images in the batch too. */
  callOfBatch<const T extends readonly (Ref | null)[]>(
    ins: T,
    f: (tensors: Tensors<T>, batch: number) => TfTensor,
  ): Ref {
    return this.#write(ins, f, false);
  }

  /** What `make` writes, written once for each key. */
  shared(key: string, make: () => Ref): Ref {
    const found = this.#shared.get(key) ?? make();
    this.#shared.set(key, found);
    return found;
  }

  /** The calls so far: those of fixed values, and the others. */
  calls(): { readonly fixed: readonly Call[]; readonly varying: readonly Call[] } {
    return {
      fixed: this.#calls.filter(({ out }) => this.#fixed.has(out)),
      varying: this.#calls.filter(({ out }) => !this.#fixed.has(out)),
    };
  }

  #write<const T extends readonly (Ref | null)[]>(
    ins: T,
    f: (tensors: Tensors<T>, batch: number) => TfTensor,
    fixed: boolean,
  ): Ref {
    const out = this.source(fixed);
    this.#calls.push({
      in: ins.filter((ref) => ref !== null),
      out,
      run: (values, batch) => f(ins.map((ref) => (ref === null ? null : values.get(ref)!)) as Tensors<T>, batch),
    });
    return out;
  }

  #ref(): Ref {
    return this.#next++ as Ref;
  }
}

/** The values of a program while it runs. */
export class Values {
  readonly #tf: Tf;
  readonly #values = new Map<Ref, TfTensor>();

  constructor(tf: Tf) {
    this.#tf = tf;
  }

  get bytes(): number {
    return [...this.#values.values()].reduce((sum, { size }) => sum + 4 * size, 0);
  }

  get(ref: Ref): TfTensor {
    return this.#values.get(ref)!;
  }

  /** Takes a tensor over, which is disposed of with the value. */
  set(ref: Ref, tensor: TfTensor): void {
    this.#values.get(ref)?.dispose();
    this.#values.set(ref, this.#tf.keep(tensor));
  }

  /**
   * Runs calls, and disposes of each value after the last of them that reads it, unless it is one to keep.
   *
   * @param fixed values that the calls read besides, and leave alone
   */
  run(calls: readonly Call[], batch: number, fixed: Values | undefined, kept: ReadonlySet<Ref>): void {
    const last = new Map<Ref, number>();
    calls.forEach((call, time) => {
      for (const ref of [...call.in, call.out]) last.set(ref, time);
    });
    const all = { get: (ref: Ref) => this.#values.get(ref) ?? fixed?.get(ref) } as ReadonlyMap<Ref, TfTensor>;
    calls.forEach((call, time) => {
      this.set(
        call.out,
        this.#tf.tidy(() => call.run(all, batch)),
      );
      for (const ref of [...call.in, call.out]) if (last.get(ref) === time && !kept.has(ref)) this.#dispose(ref);
    });
  }

  /** The tensor of a value, which is the caller's to dispose of from now on. */
  take(ref: Ref): TfTensor {
    const tensor = this.get(ref);
    this.#values.delete(ref);
    return tensor;
  }

  /** The numbers of a value in 32-bit floats, which is disposed of. */
  takeData(ref: Ref): Float32Array {
    const data = this.get(ref).dataSync<"float32">();
    this.#dispose(ref);
    return data;
  }

  /** Replaces every value by what `f` makes of it. */
  map(f: (tensor: TfTensor) => TfTensor): void {
    for (const [ref, tensor] of [...this.#values])
      this.set(
        ref,
        this.#tf.tidy(() => f(tensor)),
      );
  }

  dispose(): void {
    for (const ref of [...this.#values.keys()]) this.#dispose(ref);
  }

  #dispose(ref: Ref): void {
    this.#values.get(ref)?.dispose();
    this.#values.delete(ref);
  }
}
