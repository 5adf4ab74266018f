export {
  AdaptiveNetwork,
  load,
  save,
  type SaveOptions,
  type TrainingRecord,
  type WeightsDtype,
} from "./adaptive-network.js";
export {
  calibrate,
  calibrateEqual,
  CALIBRATION_RULES,
  type CalibrateOptions,
  type CalibrationRule,
} from "./calibrate.js";
export { calibrateFor, type CalibratedPolicy, type CalibrateForOptions, type FrontierPoint } from "./calibrate-for.js";
export { classify, type Classification, type ClassifyOptions } from "./classify.js";
export {
  evaluate,
  reportAttack,
  selectExits,
  type AttackReport,
  type EvaluateOptions,
  type Evaluation,
  type EvaluationSample,
  type ExitDetails,
  type ExitEvaluation,
  type PolicyOutcome,
  type WorstCase,
} from "./evaluate.js";
export { importCheckpoint, type CheckpointSource, type ImportedCheckpoint } from "./import-checkpoint.js";
export {
  optimizePolicy,
  type OptimizedPolicy,
  type OptimizeOptions,
  type PolicyObjective,
  type PolicyPoint,
} from "./optimize-policy.js";
export { quantize, type QuantizeOptions } from "./quantize.js";
export type { QuantizedNetwork } from "./quantized-weights.js";
export type { PolicySample } from "./policy-search.js";
export { ABOVE_ANY_ENTROPY, checkPolicy, lastExitPolicy, policyMacs, type ExitPolicy } from "./policy.js";
export { sweep, type SweepPoint } from "./sweep.js";
