/** What a `LossWatch` has seen so far; plain JSON, so that a resumed run goes on watching. */
export interface LossHistory {
  /** The running average of the loss. */
  readonly average: number;
  readonly first: number;
  /** The lowest running average. */
  readonly best: number;
  /** Iterations in a row at which the loss was no better than guessing although it had been. */
  readonly lost: number;
}

/** The weight of the past in the running average: about 20 iterations. */
const MEMORY = 0.95;
/** A loss this many times the one of guessing (or the first one, if that is larger) does not come back. */
const EXPLODED = 5;
/** A network that once had this fraction of the loss of guessing had learned something. */
const LEARNED = 0.75;
const GUESSING = 0.98;

/** Tells early when a training run cannot recover. */
export class LossWatch {
  #history: LossHistory | undefined;

  /**
   * @param chance the loss of guessing, log(classes)
   * @param patience how many iterations in a row a network that had learned may be no better than guessing
   */
  constructor(
    readonly chance: number,
    readonly patience: number,
    history?: LossHistory,
  ) {
    this.#history = history;
  }

  get history(): LossHistory | undefined {
    return this.#history;
  }

  /** @returns why the run has diverged, or undefined. @param loss the mean loss of an iteration over images and exits, in nats */
  observe(loss: number): string | undefined {
    if (!Number.isFinite(loss)) return `the loss became ${loss}`;
    const { average: before, first, best, lost } = this.#history ?? { average: loss, first: loss, best: loss, lost: 0 };
    const average = MEMORY * before + (1 - MEMORY) * loss;
    const guesses = best < LEARNED * this.chance && average > GUESSING * this.chance;
    this.#history = { average, first, best: Math.min(best, average), lost: guesses ? lost + 1 : 0 };
    if (average > EXPLODED * Math.max(this.chance, first)) return `the loss grew to ${average.toFixed(2)}`;
    if (this.#history.lost > this.patience) {
      return `the network forgot what it had learned: its loss was ${best.toFixed(2)}, and has been ${average.toFixed(2)}, that of guessing, for ${this.patience} iterations`;
    }
    return undefined;
  }
}
