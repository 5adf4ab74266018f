// Our side of bench/gpu, a process of its own: answers questions, a JSON object a line, as bench/pytorch/gpu.py does, and {"ask": "adaptive"}.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";

import type { Backend } from "../../src/backends/backend.js";
import type { MatrixPrecision } from "../../src/backends/native/addon-engine.js";
import { rdi } from "../library.js";
import { secondsOf } from "../timing.js";
import { adaptiveFigures, type AdaptiveModel } from "./adaptive.js";
import { prepareJob, type OwnJob } from "./jobs.js";
import type { Effort } from "./measure.js";
import type { GpuWork } from "./work.js";

export type OwnQuestion =
  | { readonly ask: "prepare"; readonly folder: string; readonly settings: GpuWork }
  | { readonly ask: "measure"; readonly seconds: number }
  | { readonly ask: "adaptive"; readonly model: AdaptiveModel; readonly batch: number; readonly effort: Effort };

const backends = new Map<MatrixPrecision, Backend>();
let job: OwnJob | undefined;

async function backendFor(precision: MatrixPrecision): Promise<Backend> {
  const known = backends.get(precision);
  if (known !== undefined) return known;
  const backend = await rdi.createBackend({ backend: "cuda", precision });
  backends.set(precision, backend);
  return backend;
}

async function answer(question: OwnQuestion): Promise<object> {
  if (question.ask === "measure") {
    if (job === undefined) throw new Error("Expected a work to be prepared before it is measured");
    return { seconds: await secondsOf(job.run, question.seconds) };
  }
  job?.dispose();
  job = undefined;
  if (question.ask === "adaptive") {
    const { model, batch, effort } = question;
    return { figures: await adaptiveFigures(await backendFor("tf32"), model, batch, effort) };
  }
  const { folder, settings } = question;
  job = prepareJob(await backendFor(settings.precision), settings);
  await writeFile(join(folder, "results"), await job.results());
  return {};
}

const say = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const { device, instructionSet } = await backendFor("tf32");
say({ device, instructionSet });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    say(await answer(JSON.parse(line) as OwnQuestion));
  } catch (error) {
    say({ error: String(error) });
  }
}
