import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { startProgram, type Program } from "../network/program.js";
import { python, pytorchProgram, readFloats, writeInputs } from "../network/pytorch.js";
import { comparedSteps, learningRate, workload } from "../network/workload.js";
import type { GpuWork } from "./work.js";

/** How a side is started. */
interface Start {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Whether it reads weights and images from files, or makes them itself. */
  readonly readsInputs: boolean;
}

/**
 * One of the two that are compared, in a process of its own that answers questions, a JSON object a line: bench/gpu/own.ts and bench/pytorch/gpu.py. After
 * a failure another process takes over, since one that a kernel has failed in has lost its GPU.
 */
export class Side {
  /** Its versions, and the device that it has. */
  readonly description: Readonly<Record<string, unknown>>;
  readonly #start: Start;
  readonly #folder: string;
  readonly #limit: number;
  #program: Program | undefined;

  private constructor(start: Start, program: Program, folder: string, limit: number) {
    this.#start = start;
    this.#program = program;
    this.#folder = folder;
    this.#limit = limit;
    this.description = JSON.parse(program.greeting) as Record<string, unknown>;
  }

  /** Ours, on the backend `cuda`. @throws Error if that does not start */
  static async own(limit: number): Promise<Side> {
    const program = fileURLToPath(new URL("own.js", import.meta.url));
    return Side.#started({ name: "rdi-net", command: process.execPath, args: [program], readsInputs: false }, limit);
  }

  /** PyTorch. @throws Error if it cannot be started, or finds no such device */
  static async pytorch(device: "cuda" | "cpu", limit: number): Promise<Side> {
    const args = [pytorchProgram("gpu"), device];
    return Side.#started({ name: "PyTorch", command: python, args, readsInputs: true }, limit);
  }

  static async #started(start: Start, limit: number): Promise<Side> {
    const folder = await mkdtemp(join(tmpdir(), "rdi-bench-"));
    try {
      return new Side(start, await startProgram(start.command, start.args), folder, limit);
    } catch (error) {
      await rm(folder, { recursive: true });
      throw error;
    }
  }

  /** Makes the work ready, and returns what is compared. */
  async prepare(work: GpuWork): Promise<Float32Array> {
    const { model, attack, training } = workload(work.model);
    const { momentum, weightDecay } = training;
    const settings = {
      ...work,
      ...attack,
      exits: model.exits,
      comparedSteps: comparedSteps(work.steps),
      firstLearningRate: training.firstLearningRate,
      learningRate,
      momentum,
      weightDecay,
    };
    if (this.#start.readsInputs) await writeInputs(this.#folder, work.model, work.images);
    await this.ask({ ask: "prepare", folder: this.#folder, settings });
    return readFloats(join(this.#folder, "results"));
  }

  /** Of one call of what was prepared last, over at least so many. */
  async seconds(atLeast: number): Promise<number> {
    return ((await this.ask({ ask: "measure", seconds: atLeast })) as { seconds: number }).seconds;
  }

  /** @throws Error if the answer is one, or does not come in time */
  async ask(question: object): Promise<unknown> {
    const { name, command, args } = this.#start;
    this.#program ??= await startProgram(command, args);
    try {
      const line = await inTime(this.#program.ask(JSON.stringify(question)), this.#limit);
      const answer = JSON.parse(line) as { error?: string };
      if (answer.error !== undefined) throw new Error(answer.error);
      return answer;
    } catch (error) {
      this.#program.end();
      this.#program = undefined;
      throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
    }
  }

  async end(): Promise<void> {
    this.#program?.end();
    await rm(this.#folder, { recursive: true });
  }
}

async function inTime<T>(result: Promise<T>, seconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Expected an answer in ${seconds} s but it took longer`)), 1e3 * seconds);
  });
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}
