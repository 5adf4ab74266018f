import { readFile } from "node:fs/promises";
import { z } from "zod";
import type { TrainingPoint } from "../report/index.js";

const pointSchema = z.object({
  iteration: z.number(),
  loss: z.number(),
  lossClean: z.number(),
  lossAdversarial: z.number().exactOptional(),
  learningRate: z.number(),
  validationAccuracy: z.number().exactOptional(),
});

/** The lines of a training run's `log.jsonl`, for a report. */
export async function readTrainingLog(path: string): Promise<TrainingPoint[]> {
  const lines = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
  return lines.map((line) => pointSchema.parse(JSON.parse(line)));
}
