/** The settings of "Triple Wins" (ICLR 2020), by data set: those to test with, and `trainSteps` steps to train with. */
export const PAPER_SETTINGS = {
  mnist: { eps: 0.3, step: 0.01, steps: 40, trainSteps: 40 },
  cifar10: { eps: 8 / 255, step: 2 / 255, steps: 20, trainSteps: 10 },
} as const;
