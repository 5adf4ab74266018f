/** What the quick start trains and tests, and for how long. */
export interface QuickstartRecipe {
  /** Digits drawn to train on; a part of them is held out to calibrate the exits. */
  readonly trainImages: number;
  readonly validationFraction: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  /** Fractions of the run after which the learning rate is divided by ten. */
  readonly milestones: readonly number[];
  /** The fraction of the run over which ε grows from 0. */
  readonly epsWarmup: number;
  /** The PGD attack to train with, on the average loss of the exits. */
  readonly trainStep: number;
  readonly trainSteps: number;
  /** The ball of every attack. */
  readonly eps: number;
  /** Test digits: classified clean, and attacked. */
  readonly cleanImages: number;
  readonly attackedImages: number;
  /** The PGD attack to test with. */
  readonly testStep: number;
  readonly testSteps: number;
}

/** About five minutes on two cores. */
export const RECIPE: QuickstartRecipe = {
  trainImages: 8000,
  validationFraction: 0.1,
  epochs: 2,
  batchSize: 64,
  learningRate: 0.03,
  milestones: [0.7, 0.9],
  epsWarmup: 0.4,
  trainStep: 0.1,
  trainSteps: 5,
  eps: 0.3,
  cleanImages: 2000,
  attackedImages: 500,
  testStep: 0.02,
  testSteps: 20,
};

/** A few seconds, to see that everything runs; the networks learn next to nothing. */
export const SMALL_RECIPE: QuickstartRecipe = {
  ...RECIPE,
  trainImages: 320,
  validationFraction: 0.2,
  epochs: 1,
  trainSteps: 2,
  cleanImages: 64,
  attackedImages: 32,
  testSteps: 3,
};
