import { node, PlanBuilder } from "./plan-builder.js";

/** Plans that several tests run. Buffers are listed in the order in which a run binds them. */

/** conv 3×3 (2 → 3 channels, with bias), ReLU, 2×2 maximum, flattening, linear 27 → 5. Buffers: x [N,2,8,8], conv weight, bias, linear weight, y. */
export function forwardPlan(tile: number, maxBatch: number): PlanBuilder {
  const plan = new PlanBuilder(tile, maxBatch);
  const x = plan.external([2, 8, 8]);
  const weight = plan.external([3, 2, 3, 3], { perImage: false });
  const bias = plan.external([3], { perImage: false });
  const head = plan.external([5, 27], { perImage: false });
  const y = plan.external([5]);
  const [image, conv, relu] = [plan.arena([2, 8, 8]), plan.arena([3, 6, 6]), plan.arena([3, 6, 6])];
  const [pool, flat, logits] = [plan.arena([3, 3, 3]), plan.arena([27]), plan.arena([5])];
  plan.phase("tiled", {
    loads: [node("load", [x], image)],
    body: [
      node("conv2d", [image, weight, bias], conv, 1, 0, 1, 0, 0),
      node("relu", [conv], relu),
      node("maxPool2d", [relu], pool, 2, 2, 0),
      node("reshape", [pool], flat),
      node("linear", [flat, head], logits, 0),
    ],
    stores: [node("store", [logits], y)],
  });
  return plan;
}

/** x ← clamp(x + 0.25, 0, 2) in every repetition, carried inside the tile. Buffers: x [N,3,2,2], y [N,3,2,2]. */
export function carryPlan(tile: number, maxBatch: number): PlanBuilder {
  const plan = new PlanBuilder(tile, maxBatch);
  const [x, y] = [plan.external([3, 2, 2]), plan.external([3, 2, 2])];
  const [before, sum, after] = [plan.arena([3, 2, 2]), plan.arena([3, 2, 2]), plan.arena([3, 2, 2])];
  plan.phase("tiled", {
    loads: [node("load", [x], before)],
    body: [
      node("affine", [before], sum, { float: 1 }, { float: 0.25 }),
      node("clamp", [sum], after, { float: 0 }, { float: 2 }),
    ],
    stores: [node("store", [after], y)],
  });
  plan.carry(before, after);
  return plan;
}

/**
 * One step of gradient descent on ½(w·x)² (mean over the batch): a tiled phase with reductions, then a whole phase that writes w.
 * Buffers: x [N,3], w [1,3], new w [1,3], loss [].
 */
export function trainingPlan(tile: number, maxBatch: number): PlanBuilder {
  const plan = new PlanBuilder(tile, maxBatch);
  const whole = { perImage: false };
  const [x, w] = [plan.external([3]), plan.external([1, 3], whole)];
  const [newW, loss] = [plan.external([1, 3], whole), plan.external([], whole)];
  const [y, squares, sum] = [plan.arena([1]), plan.arena([1]), plan.arena([])];
  const [gradient, mean, step] = [plan.shared([1, 3], whole), plan.shared([1, 3], whole), plan.shared([1, 3], whole)];
  plan.phase("tiled", {
    body: [
      node("linear", [x, w], y, 0),
      node("mul", [y, y], squares),
      node("sumPerImage", [squares], sum),
      node("reduceBatch", [sum], loss, 1),
      node("linearWeightGrad", [x, y], gradient),
    ],
  });
  plan.phase("whole", {
    body: [
      node("affine", [gradient], mean, { float: 0.125 }, { float: 0 }),
      node("affine", [mean], step, { float: 0.5 }, { float: 0 }),
      node("sub", [w, step], newW),
    ],
  });
  return plan;
}

/** y = (2·w)·x with 2·w computed in a parameter phase. Buffers: w [2,3], x [N,3], y [N,2]. */
export function parameterPlan(tile: number, maxBatch: number): PlanBuilder {
  const plan = new PlanBuilder(tile, maxBatch);
  const whole = { perImage: false };
  const w = plan.external([2, 3], whole);
  const [x, y] = [plan.external([3]), plan.external([2])];
  const doubled = plan.shared([2, 3], whole);
  plan.phase("parameters", { body: [node("affine", [w], doubled, { float: 2 }, { float: 0 })] });
  plan.phase("tiled", { body: [node("linear", [x, doubled], y, 0)] });
  return plan;
}

/**
 * Three exits on logits x, W·x and W·W·x. The second segment checks the image's label (in a cross-entropy that nobody reads), so
 * that an image with a bad label fails the run if it gets there. Buffers: x [N,4], W [4,4], labels [N].
 */
export function adaptivePlan(tile: number, maxBatch: number): PlanBuilder {
  const plan = new PlanBuilder(tile, maxBatch);
  const i32 = { dtype: "i32" } as const;
  const x = plan.external([4]);
  const w = plan.external([4, 4], { perImage: false });
  const labels = plan.external([], i32);
  const [x0, labels0] = [plan.arena([4]), plan.arena([], i32)];
  const [x1, labels1, x2] = [plan.queue(1, [4]), plan.queue(1, [], i32), plan.queue(2, [4])];
  const [y1, y2, checked] = [plan.arena([4]), plan.arena([4]), plan.arena([])];
  const entropy = plan.arena([]);
  const probabilities = plan.arena([4]);
  const exit = (logits: number): ReturnType<typeof node>[] => [
    node("entropy", [logits], entropy),
    node("softmax", [logits], probabilities),
  ];
  const first = plan.phase("tiled", {
    loads: [node("load", [x], x0), node("load", [labels], labels0)],
    body: exit(x0),
  });
  const second = plan.phase("tiled", {
    body: [node("linear", [x1, w], y1, 0), node("crossEntropy", [y1, labels1], checked), ...exit(y1)],
  });
  const third = plan.phase("tiled", { body: [node("linear", [x2, w], y2, 0), ...exit(y2)] });
  plan.segment(first, entropy, probabilities, 1, [
    [x0, x1],
    [labels0, labels1],
  ]);
  plan.segment(second, entropy, probabilities, 2, [[y1, x2]]);
  plan.segment(third, entropy, probabilities, 3, []);
  return plan;
}
