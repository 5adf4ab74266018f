import { augment } from "../data/augment.js";
import { epochOrder, readBatch, readFirst, type Batch, type Dataset } from "../data/dataset.js";
import { argmaxOfRow, runAllExits } from "../inference/all-exits.js";
import type { Network } from "../nn/network.js";
import { ArgumentError, DivergedError } from "../util/errors.js";
import { mean } from "../util/mean.js";
import { nextTurn } from "../util/next-turn.js";
import {
  expectNoUnfinishedRun,
  expectSameRun,
  readCheckpoint,
  writeCheckpoint,
  type Checkpoint,
} from "./checkpoint.js";
import { attackAt, learningRateAt, maskSeedAt, type TrainConfig } from "./config.js";
import { JsonLog } from "./log.js";
import { LossWatch } from "./loss-watch.js";
import type { TrainingStep } from "./step.js";

/** Where a run stands after an iteration; also a line of `log.jsonl`. Losses are in nats, of the iteration's batch before its step. */
export interface TrainProgress {
  /** Iterations done, and how many the run has. */
  readonly iteration: number;
  readonly iterations: number;
  /** From 1 on. */
  readonly epoch: number;
  /** What is minimised: Σ w_i · ½(ℓ_i(x) + ℓ_i(x_adv)). */
  readonly loss: number;
  /** Means over the exits. */
  readonly lossClean: number;
  readonly lossAdversarial?: number;
  /** By exit. */
  readonly exitsClean: readonly number[];
  readonly exitsAdversarial?: readonly number[];
  readonly learningRate: number;
  /** ε of this iteration's attack. */
  readonly eps?: number;
  /** Clean training images. */
  readonly imagesPerSecond: number;
  /** Of training so far, those before a resumption included. */
  readonly seconds: number;
  /** Accuracy of the last exit on (at most 512) clean held-out images; where a checkpoint was written. */
  readonly validationAccuracy?: number;
}

/** Where a run keeps what it makes. */
export interface RunFiles {
  readonly checkpoint: string;
  readonly log: string;
  readonly model: string;
}

export type StopReason = "finished" | "aborted" | "time limit";

/** How a run is watched and stopped. */
export interface RunControl {
  readonly onProgress?: (progress: TrainProgress) => void;
  /** Stops the run after the iteration in hand, with a checkpoint. */
  readonly signal?: AbortSignal;
  /** Seconds after which the run stops early, with a checkpoint and a calibrated model. */
  readonly timeLimit?: number;
}

/** What a run works on. */
export interface RunData {
  readonly training: Dataset;
  readonly validation: Dataset;
  /** Iterations an epoch. */
  readonly epochLength: number;
  readonly iterations: number;
  readonly exitWeights: readonly number[];
}

/** A run under way. */
export class TrainingRun {
  /** Iterations done. */
  iteration = 0;
  seconds = 0;
  readonly #log: JsonLog;
  readonly #patience: number;
  #watch: LossWatch;
  /** The order of the images in an epoch, of the epoch in hand. */
  #order: { readonly epoch: number; readonly indices: Uint32Array } | undefined;

  constructor(
    readonly net: Network,
    readonly step: TrainingStep,
    readonly config: TrainConfig,
    readonly data: RunData,
    readonly files: RunFiles,
  ) {
    this.#log = new JsonLog(files.log);
    this.#patience = Math.min(500, Math.max(50, Math.round(data.iterations / 20)));
    this.#watch = new LossWatch(Math.log(net.model.classes), this.#patience);
  }

  /** The first checkpoint shows at once whether the folder can be written, and that there is room. */
  async begin(overwrite: boolean): Promise<void> {
    if (!overwrite) await expectNoUnfinishedRun(this.files.checkpoint);
    await this.#checkpoint();
    await this.#log.begin();
  }

  async resume(): Promise<void> {
    const saved = await readCheckpoint(this.files.checkpoint, this.net.model);
    expectSameRun(this.files.checkpoint, saved.config, this.config);
    if (saved.iterations !== this.data.iterations) {
      throw new ArgumentError(
        `Expected a dataset that makes ${saved.iterations} iterations, as that of ${this.files.checkpoint}, but received one that makes ${this.data.iterations}`,
      );
    }
    for (const [name, data] of saved.weights) this.net.params.set(name, data);
    this.step.setVelocities(saved.velocities);
    this.iteration = saved.iteration;
    this.seconds = saved.seconds;
    this.#watch = new LossWatch(this.#watch.chance, this.#patience, saved.history);
    await this.#log.begin(saved.iteration);
  }

  async go({ signal, timeLimit = Infinity, onProgress }: RunControl): Promise<StopReason> {
    const deadline = performance.now() + 1000 * timeLimit;
    let written = this.iteration;
    while (this.iteration < this.data.iterations) {
      const stopped = signal?.aborted === true ? "aborted" : performance.now() >= deadline ? "time limit" : undefined;
      if (stopped !== undefined) {
        if (written < this.iteration) await this.#checkpoint();
        return stopped;
      }
      let progress = await this.#iterate();
      const last = this.iteration === this.data.iterations;
      if (last || this.iteration % this.config.checkpointEvery === 0) {
        await this.#checkpoint();
        written = this.iteration;
        progress = { ...progress, validationAccuracy: await this.#validate() };
      }
      if (progress.validationAccuracy !== undefined || this.iteration % this.config.logEvery === 0)
        await this.#log.append(progress);
      onProgress?.(progress);
      await nextTurn();
    }
    return "finished";
  }

  async #iterate(): Promise<TrainProgress> {
    const { config, net, iteration } = this;
    const { iterations, epochLength } = this.data;
    const started = performance.now();
    const batch = this.#batch(iteration);
    const attack = attackAt(config, iteration, iterations);
    const adversarial = await attack?.perturb(net, batch.images, batch.labels, {
      batchSize: batch.size,
      mode: config.attackMode,
    });
    const learningRate = learningRateAt(config, iteration, iterations);
    const [clean, attacked] = await this.#step(batch, adversarial, learningRate);
    const hybrid = clean.map((loss, i) => (attacked === undefined ? loss : (loss + attacked[i]!) / 2));
    this.#expectHealthy(mean(hybrid));
    this.iteration++;
    const elapsed = (performance.now() - started) / 1000;
    this.seconds += elapsed;
    return {
      iteration: this.iteration,
      iterations,
      epoch: Math.floor(iteration / epochLength) + 1,
      loss: hybrid.reduce((sum, loss, i) => sum + this.data.exitWeights[i]! * loss, 0),
      lossClean: mean(clean),
      exitsClean: clean,
      ...(attack &&
        attacked && { lossAdversarial: mean(attacked), exitsAdversarial: attacked, eps: attack.method.eps }),
      learningRate,
      imagesPerSecond: batch.size / elapsed,
      seconds: this.seconds,
    };
  }

  /** Returns the mean loss of each exit, on the clean images and on the adversarial ones. */
  async #step(
    { images, labels }: Batch,
    adversarial: Float32Array | undefined,
    learningRate: number,
  ): Promise<[clean: number[], attacked?: number[]]> {
    const batches = [{ images, labels }, ...(adversarial === undefined ? [] : [{ images: adversarial, labels }])];
    const maskSeed = maskSeedAt(this.config, this.iteration);
    const losses = await this.step.run({ batches, learningRate, maskSeed });
    return losses.map((exits) => exits.map(mean)) as [number[], number[]?];
  }

  #batch(iteration: number): Batch {
    const { training, epochLength } = this.data;
    const epoch = Math.floor(iteration / epochLength);
    if (this.#order?.epoch !== epoch)
      this.#order = { epoch, indices: epochOrder(training.length, this.config.seed, epoch) };
    const start = (iteration % epochLength) * this.config.batchSize;
    const batch = readBatch(training, this.#order.indices.slice(start, start + this.config.batchSize));
    augment(batch, training.imageShape, this.config.augment, this.config.seed, epoch);
    return batch;
  }

  async #checkpoint(): Promise<void> {
    const weights = await this.net.weights();
    if (![...weights.values()].every((values) => values.every(Number.isFinite)))
      throw this.#diverged("a weight is no longer finite");
    const checkpoint: Checkpoint = {
      config: this.config,
      iteration: this.iteration,
      iterations: this.data.iterations,
      seconds: this.seconds,
      history: this.#watch.history,
      weights,
      velocities: await this.step.velocities(),
    };
    await writeCheckpoint(this.files.checkpoint, this.net.model, checkpoint);
  }

  #expectHealthy(loss: number): void {
    const reason = this.#watch.observe(loss);
    if (reason !== undefined) throw this.#diverged(reason);
  }

  #diverged(reason: string): DivergedError {
    const { learningRate, epsWarmup, attack } = this.config;
    const warmup = attack === null ? "" : `, or let ε grow over a larger part of the run (epsWarmup, now ${epsWarmup})`;
    return new DivergedError(
      `Training diverged at iteration ${this.iteration + 1} of ${this.data.iterations}: ${reason}. Lower the learning rate (now ${learningRate})${warmup}. The last good checkpoint is ${this.files.checkpoint}`,
    );
  }

  /** The accuracy of the last exit on clean held-out images. */
  async #validate(): Promise<number> {
    const { model } = this.net;
    const count = Math.min(VALIDATION_IMAGES, this.data.validation.length);
    const { images, labels } = readFirst(this.data.validation, count);
    const { logits } = await runAllExits(this.net, images, count, count);
    return mean(labels.map((label, n) => Number(argmaxOfRow(logits.at(-1)!, model.classes, n) === label)));
  }
}

const VALIDATION_IMAGES = 512;
