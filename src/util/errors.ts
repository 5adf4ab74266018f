/**
 * Every error that this package raises on purpose is an `RdiError`, so that callers (and the command line) can tell a
 * refused input from a defect. Messages name what was expected and what came.
 */
export class RdiError extends Error {
  override name = "RdiError";
}

/** Shapes or dtypes that do not fit an operation: `[conv2d] Expected …, got …`. */
export class ShapeError extends RdiError {
  override name = "ShapeError";
  constructor(where: string, message: string) {
    super(`[${where}] ${message}`);
  }
}

/** A file or a folder whose content is not what its format promises. */
export class FormatError extends RdiError {
  override name = "FormatError";
  constructor(path: string, message: string) {
    super(`${path}: ${message}`);
  }
}

/** An argument outside its range or of the wrong kind. */
export class ArgumentError extends RdiError {
  override name = "ArgumentError";
}

/** A backend that cannot be had on this machine, or that failed at run time. */
export class BackendError extends RdiError {
  override name = "BackendError";
}

/** Training whose loss became non-finite or stopped being able to recover. */
export class DivergedError extends RdiError {
  override name = "DivergedError";
}

/** Throws an `ArgumentError` worded "Expected X for Y but received Z" unless `ok`. */
export function expectArgument(ok: boolean, name: string, expected: string, received: unknown): asserts ok {
  if (!ok) throw new ArgumentError(`Expected ${expected} for ${name} but received ${describe(received)}`);
}

/** Throws an `ArgumentError` unless `value` is an integer of 1 or more. */
export function expectCount(value: number, name: string): void {
  expectArgument(Number.isSafeInteger(value) && value >= 1, name, "an integer of 1 or more", value);
}

function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(describe).join(", ")}]`;
  if (value !== null && typeof value === "object") return value.constructor.name;
  return String(value);
}
