import type { Graph } from "../types.js";
import { eliminateCommonSubexpressions } from "./common-subexpressions.js";
import { eliminateDeadCode } from "./dead-code.js";
import { foldBatchNorm } from "./fold-batch-norm.js";
import { fuseEpilogues } from "./fuse-epilogues.js";
import { packMasks } from "./pack-masks.js";
import { restrictMethods, type Precision } from "./restrict-methods.js";

/** What every backend's compile begins with. The graph computes the same outputs, up to rounding. */
export function optimize(graph: Graph, precision: Precision = "fast"): Graph {
  return packMasks(simplify(graph, precision));
}

/** `optimize`, but for the masks of ReLUs in bits, of which a backend may have no use. */
export function simplify(graph: Graph, precision: Precision = "fast"): Graph {
  const folded = foldBatchNorm(eliminateCommonSubexpressions(eliminateDeadCode(graph)));
  return restrictMethods(fuseEpilogues(eliminateDeadCode(folded)), precision);
}
