export { AdaptiveNetwork, load, save, type TrainingRecord } from "./adaptive-network.js";
export {
  calibrate,
  calibrateEqual,
  CALIBRATION_RULES,
  type CalibrateOptions,
  type CalibrationRule,
} from "./calibrate.js";
export { classify, type Classification, type ClassifyOptions } from "./classify.js";
export {
  evaluate,
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
export { checkPolicy, lastExitPolicy, policyMacs, type ExitPolicy } from "./policy.js";
export { sweep, type SweepPoint } from "./sweep.js";
