import { expect } from "vitest";
import { decodePyTorchCheckpoint } from "../../src/formats/pytorch/checkpoint.js";
import { FormatError } from "../../src/util/errors.js";
import { legacyFile, tensor, zipFile, type Code, type StoredValues } from "../support/pytorch-files.js";

export const two: StoredValues = { key: "0", kind: "FloatStorage", values: Float32Array.of(1, 2) };
/** A tensor of both values. */
export const W = tensor(two, [2]);

/** The error with which the bytes of a checkpoint are refused. */
export function errorOf(bytes: Uint8Array): FormatError {
  try {
    decodePyTorchCheckpoint(bytes, "model.pt");
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
    return error as FormatError;
  }
  throw new Error("the file was accepted");
}

/** The errors for the same object in both containers. */
export function errorsOf(code: Code, storages: readonly StoredValues[] = [two]): string[] {
  return [legacyFile(code, storages), zipFile(code, storages)].map((file) => errorOf(file).message);
}

/** Reads the bytes, or makes sure that they are refused as they should be. */
export function expectReadOrRefused(bytes: Uint8Array): void {
  try {
    for (const { shape, data } of decodePyTorchCheckpoint(bytes, "model.pt").tensors.values())
      expect(data.length).toBe(shape.reduce((product, size) => product * size, 1));
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError);
  }
}

export function ascii(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}
