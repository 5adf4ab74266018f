import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { OnnxPolicy } from "../../src/formats/onnx/export.js";
import { OnnxSession, type OnnxValue } from "./onnxruntime.js";

/** Where an image left, and what was said of it there. */
export interface LeftAt {
  readonly exit: number;
  readonly probabilities: Float32Array;
}

/**
 * Early exit as another runtime would do it, from the folder that `rdi export --segments` has written: runs the segments one after the other, each on the
 * images that are still inside.
 */
export async function classifyBySegments(folder: string, images: Float32Array, count: number): Promise<LeftAt[]> {
  const policy = JSON.parse(await readFile(join(folder, "policy.json"), "utf8")) as OnnxPolicy;
  const results = new Array<LeftAt>(count);
  let inside = Array.from({ length: count }, (_, n) => n);
  const [, ...imageShape] = policy.segments[0]!.inputs[0]!.shape as ["N", ...number[]];
  let values = new Map<string, OnnxValue>([["images", { shape: [count, ...imageShape], data: images }]]);
  for (const [k, segment] of policy.segments.entries()) {
    if (inside.length === 0) break;
    await using session = await OnnxSession.open(await readFile(join(folder, segment.file)));
    const outputs = await session.run(values);
    const threshold = policy.thresholds[k] ?? Infinity;
    const entropies = outputs.get(segment.entropy)!.data;
    const sure = inside.map((_, row) => entropies[row]! < threshold);
    for (const [row, image] of inside.entries())
      if (sure[row])
        results[image] = { exit: segment.exit, probabilities: rowOf(outputs.get(segment.probabilities)!, row) };
    const stay = sure.flatMap((isSure, row) => (isSure ? [] : [row]));
    inside = stay.map((row) => inside[row]!);
    for (const { name } of segment.handsOn) values.set(name, outputs.get(name)!);
    values = new Map([...values].map(([name, value]) => [name, onlyRows(value, stay)]));
  }
  return results;
}

function rowOf({ shape, data }: OnnxValue, row: number): Float32Array {
  const length = data.length / shape[0]!;
  return Float32Array.from(data.subarray(row * length, (row + 1) * length));
}

function onlyRows(value: OnnxValue, rows: readonly number[]): OnnxValue {
  const data = Float32Array.from(rows.flatMap((row) => [...rowOf(value, row)]));
  return { shape: [rows.length, ...value.shape.slice(1)], data };
}
