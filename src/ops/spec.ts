/** Shapes and dtypes of the values of a graph. */

/** A dimension: a size, or "N", the batch, which only the first dimension can be. */
export type Dim = number | "N";
export type Shape = readonly Dim[];
export type DType = "f32" | "i32";

export interface Spec {
  readonly shape: Shape;
  readonly dtype: DType;
}

export function f32(...shape: Dim[]): Spec {
  return { shape, dtype: "f32" };
}

export function i32(...shape: Dim[]): Spec {
  return { shape, dtype: "i32" };
}

/** Whether the value has a row for each image of the batch. */
export function isPerImage(spec: Spec): boolean {
  return spec.shape[0] === "N";
}

/** The dimensions without the batch. */
export function imageDims(spec: Spec): number[] {
  return spec.shape.filter((dim): dim is number => dim !== "N");
}

/** Elements of one image's row, or of the whole value where there is no batch. */
export function imageElements(spec: Spec): number {
  return product(imageDims(spec));
}

/** The sizes with the batch filled in. */
export function concreteShape(spec: Spec, batch: number): number[] {
  return spec.shape.map((dim) => (dim === "N" ? batch : dim));
}

export function product(sizes: readonly number[]): number {
  return sizes.reduce((total, size) => total * size, 1);
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i]);
}

export function sameSpec(a: Spec, b: Spec): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}

/** `[N,3,32,32]`, and `[N] i32` where the dtype is not f32. */
export function formatSpec(spec: Spec): string {
  return `[${spec.shape.join(",")}]${spec.dtype === "f32" ? "" : ` ${spec.dtype}`}`;
}
