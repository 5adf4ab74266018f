export {
  parseTrainConfig,
  trainConfigSchema,
  TRAINING_METHODS,
  type TrainConfig,
  type TrainConfigInput,
} from "./config.js";
export type { RunControl, StopReason, TrainProgress } from "./run.js";
export { train, type TrainOptions, type TrainResult } from "./trainer.js";
