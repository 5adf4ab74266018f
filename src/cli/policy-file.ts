import { z } from "zod";
import { decodeSafetensors } from "../formats/safetensors.js";
import { policySchema, type ExitPolicy } from "../inference/policy.js";
import { FormatError } from "../util/errors.js";
import { parseJson } from "../util/json-file.js";
import { readFileBytes } from "../util/read-file.js";

/**
 * Reads the exits and thresholds of a JSON file that `rdi calibrate` wrote, or those in a weights file.
 *
 * @throws FormatError if the file is missing or holds none
 */
export async function readPolicy(path: string): Promise<ExitPolicy> {
  const bytes = await readFileBytes(path, "equal, paper or a file with exits and thresholds");
  const result = policySchema.safeParse(policyIn(bytes, path));
  if (result.success) return result.data;
  throw new FormatError(
    path,
    `Expected { "exits": […], "thresholds": […] } but received: ${z.prettifyError(result.error)}`,
  );
}

function policyIn(bytes: Uint8Array, path: string): unknown {
  const isJson = bytes[0] === "{".charCodeAt(0);
  const text = isJson ? new TextDecoder().decode(bytes) : (decodeSafetensors(bytes, path).metadata.policy ?? "null");
  return parseJson(text, path, "JSON with exits and thresholds");
}
