import type { ModelName } from "./workload.js";

/** What a network does again and again. */
export interface Work {
  /**
   * `forward`: the logits of all exits, or of one. `pgd-step`: a step of the average form of PGD, or of the form that aims at one exit. `training-step`: a step
   * of SGD. `max-average`: a whole PGD attack in that form.
   */
  readonly kind: "forward" | "pgd-step" | "training-step" | "max-average";
  readonly model: ModelName;
  readonly batch: number;
  /** Steps of an attack that are made in one call. */
  readonly steps: number;
  /** The only exit that is asked for, if not all; of `forward` and `pgd-step`. */
  readonly exit?: number;
}

/** Ours: `wasm` with WebAssembly's plain SIMD, `wasm-relaxed` with its relaxed one. */
export type Own = "cpu" | "wasm" | "wasm-relaxed";

/** Who does the work: a library in a process of its own. The peaks are loops of multiplications and additions, in WebAssembly and in native code. */
export interface Subject {
  readonly library: Own | "tfjs-wasm" | "onnxruntime-web" | "onnxruntime-node" | "pytorch" | "peak" | "native-peak";
  readonly threads: number;
}

/** Work that is ready to be done. */
export type Job = RepeatedJob | MeasuredJob;

/** Work of a library in this process, which the worker does and times. */
export interface RepeatedJob {
  /** Units done by a call: image × step, or for the peak operations. */
  readonly units: number;
  /** Does the work once, from the same inputs every time, and returns its results. */
  run(): Promise<Float32Array>;
  /** What is compared with other libraries, where that is not what a call returns. */
  results?(): Promise<Float32Array>;
}

/** Work of another program, which times it itself, so that talking to it costs nothing. */
export interface MeasuredJob {
  /** What is compared with other libraries. */
  readonly results: Float32Array;
  /** Units a second, over at least so many seconds. */
  rate(seconds: number): Promise<number>;
}

export interface Library {
  /** @throws Error if the library cannot do this work */
  prepare(work: Work): Promise<Job>;
}

/** From the benchmark to a subject's process, and back. */
export type Question =
  { readonly ask: "prepare"; readonly work: Work } | { readonly ask: "measure"; readonly seconds: number };
export type Answer =
  | { readonly got: "outputs"; readonly outputs: Float32Array }
  | { readonly got: "rate"; readonly rate: number }
  | { readonly got: "error"; readonly message: string };
