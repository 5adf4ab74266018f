import { z } from "zod";
import { decodeSafetensors } from "../formats/safetensors.js";
import type { ExitPolicy } from "../inference/index.js";
import { writeFileAtomic } from "../util/atomic-file.js";
import { FormatError } from "../util/errors.js";
import { readFileBytes } from "../util/read-file.js";

const policySchema = z.object({ exits: z.array(z.int()), thresholds: z.array(z.number()) });

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

/** Writes exits and thresholds as JSON, atomically. */
export async function writePolicy(path: string, policy: ExitPolicy): Promise<void> {
  await writeFileAtomic(path, new TextEncoder().encode(`${JSON.stringify(policy, null, 2)}\n`));
}

function policyIn(bytes: Uint8Array, path: string): unknown {
  if (bytes[0] !== "{".charCodeAt(0)) return parse(decodeSafetensors(bytes, path).metadata.policy ?? "null", path);
  return parse(new TextDecoder().decode(bytes), path);
}

function parse(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FormatError(path, `Expected JSON with exits and thresholds but received: ${(error as Error).message}`);
  }
}
