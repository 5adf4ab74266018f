import type { OpName } from "../../../ops/index.js";
import { convolutionRules } from "./convolution.js";
import { elementwiseRules } from "./elementwise.js";
import { linearRules } from "./linear.js";
import { lossRules } from "./losses.js";
import { normRules } from "./norm.js";
import { poolRules } from "./pool.js";
import { randomRules } from "./random.js";
import { reduceRules } from "./reduce.js";
import type { Refusal, Rule } from "./rule.js";

const noIntegers = {
  reason:
    "TensorFlow.js's kernels Conv2D and BatchMatMul are for 32-bit floats on WebAssembly, which do not hold such sums of integers exactly",
};

/** How each operation of ours is computed, or why it cannot be. */
export const rules: { readonly [O in OpName]: Rule<O> | Refusal } = {
  ...convolutionRules,
  ...elementwiseRules,
  ...linearRules,
  ...lossRules,
  ...normRules,
  ...poolRules,
  ...randomRules,
  ...reduceRules,
  positiveBits: {
    reason: "TensorFlow.js has no kernel that packs bits into words; the programs of this backend need none",
  },
  quantizedConv2d: noIntegers,
  quantizedLinear: noIntegers,
};
