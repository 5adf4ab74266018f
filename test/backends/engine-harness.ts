import type { NativeAbi, Pointer } from "../../src/backends/native/abi.js";
import type { PlanBuilder } from "./plan-builder.js";

export type Data = Float32Array | Int32Array;

/** Runs a plan once on copies of `buffers`, and returns what they hold afterwards. Nothing stays in the engine. */
export function runOnce(
  abi: NativeAbi,
  plan: PlanBuilder,
  batch: number,
  buffers: readonly Data[],
  repeat = 1,
): Data[] {
  return withBuffers(abi, buffers, (pointers) => {
    const handle = abi.planCreate(plan.words());
    try {
      abi.planRun(handle, batch, repeat, pointers, 1);
    } finally {
      abi.planDestroy(handle);
    }
    return readAll(abi, pointers, buffers);
  });
}

export interface Adaptive {
  readonly probabilities: Float32Array;
  readonly entropy: Float32Array;
  readonly exits: Int32Array;
}

export function runAdaptive(
  abi: NativeAbi,
  plan: PlanBuilder,
  batch: number,
  thresholds: readonly number[],
  buffers: readonly Data[],
  classes: number,
): Adaptive {
  const results = {
    probabilities: new Float32Array(batch * classes),
    entropy: new Float32Array(batch),
    exits: new Int32Array(batch),
  };
  const all = [Float32Array.from(thresholds), ...Object.values(results), ...buffers];
  return withBuffers(abi, all, ([levels, probabilities, entropy, exits, ...pointers]) => {
    const handle = abi.planCreate(plan.words());
    try {
      abi.adaptiveRun(
        handle,
        batch,
        levels!,
        pointers,
        { probabilities: probabilities!, entropy: entropy!, exits: exits! },
        1,
      );
    } finally {
      abi.planDestroy(handle);
    }
    abi.read(probabilities!, results.probabilities);
    abi.read(entropy!, results.entropy);
    abi.read(exits!, results.exits);
    return results;
  });
}

/** Gives `use` the addresses of copies in the engine's memory, and frees them. */
export function withBuffers<T>(abi: NativeAbi, buffers: readonly Data[], use: (pointers: Pointer[]) => T): T {
  const pointers: Pointer[] = [];
  try {
    for (const data of buffers) {
      const pointer = abi.alloc(data.byteLength);
      pointers.push(pointer);
      abi.write(pointer, data);
    }
    return use(pointers);
  } finally {
    for (const pointer of pointers) abi.free(pointer);
  }
}

export function readAll(abi: NativeAbi, pointers: readonly Pointer[], like: readonly Data[]): Data[] {
  return pointers.map((pointer, i) => {
    const copy = like[i]!.slice();
    abi.read(pointer, copy);
    return copy;
  });
}
