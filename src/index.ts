/** The public interface of rdi-net. */
export type { Backend, BackendName, ParamSet, Plan, AdaptivePlan } from "./backends/backend.js";
export type { AddonAttempt } from "./backends/native/addon-error.js";
export { createBackend, describeBackends, type BackendOptions, type BackendReport } from "./backends/registry.js";
export type { Macs } from "./graph/cost.js";
export type { Graph } from "./graph/types.js";
export type { DType, Shape, Spec } from "./ops/spec.js";
export { releaseEagerPlans } from "./tensor/apply.js";
export * as functional from "./tensor/functional.js";
export { tensor, Tensor } from "./tensor/tensor.js";
export { grad, gradients, trace, Tracer } from "./tensor/trace.js";
export type { ExitModel } from "./nn/exit-model.js";
export { costOfBackbone, costOfExits, inferenceGraph, initialParams } from "./nn/exit-model.js";
export { Network } from "./nn/network.js";
export { modelByName, models } from "./models/index.js";
export * as attacks from "./attacks/index.js";
export type { Adversarial, Attack, AttackMethod, AttackSettings, PerturbOptions } from "./attacks/index.js";
export {
  AdaptiveNetwork,
  calibrate,
  calibrateFor,
  classify,
  evaluate,
  importCheckpoint,
  load,
  optimizePolicy,
  policyMacs,
  quantize,
  save,
  type AttackReport,
  type CalibratedPolicy,
  type CalibrateForOptions,
  type CalibrateOptions,
  type CalibrationRule,
  type CheckpointSource,
  type Classification,
  type ClassifyOptions,
  type EvaluateOptions,
  type Evaluation,
  type EvaluationSample,
  type ExitDetails,
  type ExitEvaluation,
  type ExitPolicy,
  type FrontierPoint,
  type ImportedCheckpoint,
  type OptimizedPolicy,
  type OptimizeOptions,
  type PolicyObjective,
  type PolicyOutcome,
  type PolicyPoint,
  type PolicySample,
  type QuantizedNetwork,
  type QuantizeOptions,
  type TrainingRecord,
  type WorstCase,
} from "./inference/index.js";
export { fetchModel, type FetchModelOptions } from "./inference/fetch-model.js";
export {
  train,
  type TrainConfig,
  type TrainConfigInput,
  type TrainOptions,
  type TrainProgress,
  type TrainResult,
} from "./training/index.js";
export type { Preset } from "./training/preset.js";
export { openPreset, writePreset } from "./training/preset-file.js";
export { presets, type PresetName } from "./training/presets.js";
export { openDataset, type DatasetName, type OpenDatasetOptions } from "./data/registry.js";
export { cifar10, cifar100, type CifarOptions } from "./data/cifar.js";
export { digits, type DigitsOptions } from "./data/digits.js";
export { imageFolder, type ImageFolderOptions } from "./data/image-folder.js";
export { mnist, type MnistOptions } from "./data/mnist.js";
export { svhn, type SvhnOptions } from "./data/svhn.js";
export type { Dataset } from "./data/dataset.js";
export { readPyTorchCheckpoint, type PyTorchCheckpoint } from "./formats/pytorch/checkpoint.js";
export {
  exportOnnx,
  type OnnxExportOptions,
  type OnnxFile,
  type OnnxPolicy,
  type OnnxPort,
} from "./formats/onnx/export.js";
export { readSafetensors, writeSafetensors, type Safetensors, type StoredTensor } from "./formats/safetensors.js";
export { ArgumentError, BackendError, DivergedError, FormatError, RdiError, ShapeError } from "./util/errors.js";
