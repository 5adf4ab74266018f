/** What a network does again and again. */
export interface Work {
  readonly kind: "forward" | "pgd-step" | "training-step";
  readonly batch: number;
  /** Steps of an attack that are made in one call. */
  readonly steps: number;
}

/** Who does the work: a library in a process of its own. */
export interface Subject {
  readonly library: "wasm" | "tfjs-wasm" | "onnxruntime-web" | "peak";
  readonly threads: number;
}

/** Work that is ready to be done. */
export interface Job {
  /** Units done by a call: image × step, or for the peak operations. */
  readonly units: number;
  /** Does the work once, from the same inputs every time, and returns its results. */
  run(): Promise<Float32Array>;
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
