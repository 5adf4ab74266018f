import type * as Onnx from "../src/formats/onnx/onnx-model.js";
import type * as Datasets from "../src/data/dataset.js";
import type * as Cost from "../src/graph/cost.js";
import type * as Fold from "../src/graph/passes/fold-constants.js";
import type * as Optimize from "../src/graph/passes/optimize.js";
import type * as AllExits from "../src/inference/all-exits.js";
import type * as Package from "../src/index.js";
import type * as ExitModels from "../src/nn/exit-model.js";
import type * as LineCharts from "../src/report/line-chart.js";
import type * as Palettes from "../src/report/palette.js";
import type * as Styles from "../src/report/style.js";
import type * as SafetensorsFiles from "../src/formats/safetensors.js";
import type * as Specs from "../src/ops/spec.js";
import type * as Step from "../src/training/step.js";

/** The root of the checkout; this file runs in build/bench. */
export const root = new URL("../../", import.meta.url);

async function built(file: string): Promise<unknown> {
  return import(new URL(`dist/${file}`, root).href);
}

// The built package, as users run it, and those of its parts that it does not export.
export const rdi = (await built("index.js")) as typeof Package;
export const { onnxModel } = (await built("formats/onnx/onnx-model.js")) as typeof Onnx;
export const { writeSafetensors } = (await built("formats/safetensors.js")) as typeof SafetensorsFiles;
export const { graphMacs } = (await built("graph/cost.js")) as typeof Cost;
export const { foldConstants } = (await built("graph/passes/fold-constants.js")) as typeof Fold;
export const { optimize } = (await built("graph/passes/optimize.js")) as typeof Optimize;
export const { imageSpec, tracedScope } = (await built("nn/exit-model.js")) as typeof ExitModels;
export const { imageElements, isPerImage } = (await built("ops/spec.js")) as typeof Specs;
export const { TrainingStep, gradientGraph } = (await built("training/step.js")) as typeof Step;
export const { byteDataset, slice } = (await built("data/dataset.js")) as typeof Datasets;
export const { runAllExits } = (await built("inference/all-exits.js")) as typeof AllExits;
export const { lineChart } = (await built("report/line-chart.js")) as typeof LineCharts;
export const { seriesStyle } = (await built("report/palette.js")) as typeof Palettes;
export const { styleElement } = (await built("report/style.js")) as typeof Styles;
