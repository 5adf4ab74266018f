/** What the user asks of a benchmark. */
export interface Options {
  /** Few rounds. */
  readonly quick: boolean;
  /** Only works whose title has this text in it. */
  readonly match: string;
  /** Told what could not be measured, and why. */
  readonly failed: (reason: string) => void;
}
