import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startProgram, type Program } from "../network/program.js";
import { python, pytorchProgram, readFloats, writeInputs } from "../network/pytorch.js";
import { comparedSteps, firstLearningRate, learningRate, workload } from "../network/workload.js";
import type { GpuWork } from "./work.js";

/** Measured: operations a second of matrix products, by precision, and bytes a second of a copy. */
export interface Peaks {
  readonly operations: Readonly<Partial<Record<string, number>>>;
  readonly bytes: number;
}

/** PyTorch in a process of its own: bench/pytorch/gpu.py. */
export class Pytorch {
  readonly #program: Program;
  readonly #folder: string;
  /** Its versions, and the device that it has. */
  readonly description: Readonly<Record<string, unknown>>;

  private constructor(program: Program, folder: string) {
    this.#program = program;
    this.#folder = folder;
    this.description = JSON.parse(program.greeting) as Record<string, unknown>;
  }

  /** @throws Error if it cannot be started, or finds no such device */
  static async start(device: "cuda" | "cpu"): Promise<Pytorch> {
    const folder = await mkdtemp(join(tmpdir(), "rdi-bench-"));
    try {
      return new Pytorch(await startProgram(python, [pytorchProgram("gpu"), device]), folder);
    } catch (error) {
      await rm(folder, { recursive: true });
      throw error;
    }
  }

  async peaks(): Promise<Peaks> {
    return (await this.#ask({ ask: "peaks" })) as Peaks;
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
      firstLearningRate,
      learningRate,
      momentum,
      weightDecay,
    };
    await writeInputs(this.#folder, work.model, work.images);
    await this.#ask({ ask: "prepare", folder: this.#folder, settings });
    return readFloats(join(this.#folder, "results"));
  }

  /** Of one call of what was prepared last, over at least so many. */
  async seconds(atLeast: number): Promise<number> {
    return ((await this.#ask({ ask: "measure", seconds: atLeast })) as { seconds: number }).seconds;
  }

  async end(): Promise<void> {
    this.#program.end();
    await rm(this.#folder, { recursive: true });
  }

  async #ask(question: object): Promise<unknown> {
    const answer = JSON.parse(await this.#program.ask(JSON.stringify(question))) as { error?: string };
    if (answer.error !== undefined) throw new Error(`PyTorch: ${answer.error}`);
    return answer;
  }
}
