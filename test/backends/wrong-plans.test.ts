import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { NativeAbi } from "../../src/backends/native/abi.js";
import { loadWasm } from "../../src/backends/native/wasm-module.js";
import { makePlan } from "./engine-harness.js";
import { node, PlanBuilder } from "./plan-builder.js";
import { forwardPlan } from "./plans.js";

/** A 1×1 convolution of 4 channels of 2×2 pixels with a weight of the given shape. */
function convOfGroups(plan: PlanBuilder, weight: readonly number[], groups: number): ReturnType<typeof node> {
  const inputs = [plan.arena([4, 2, 2]), plan.external(weight, { perImage: false })];
  return node("conv2d", inputs, plan.arena([4, 2, 2]), 1, 0, groups, 0, 0);
}

interface IntegersOptions {
  readonly words?: number;
  readonly kernel?: number;
  readonly levels?: number;
  readonly signed?: number;
  readonly dtype?: "i32" | "f32";
}

/** A convolution in integers of 4 channels of 2×2 pixels; of 3×3 with padding 1 unless told otherwise. */
function quantizedConv(
  plan: PlanBuilder,
  { words = 9, kernel = 3, levels = 10, signed = 1, dtype = "i32" }: IntegersOptions,
): ReturnType<typeof node> {
  const [weight, scale] = [
    plan.external([4, words], { perImage: false, dtype }),
    plan.external([4], { perImage: false }),
  ];
  const y = plan.arena([4, 2, 2]);
  return node(
    "quantizedConv2d",
    [plan.arena([4, 2, 2]), weight, scale],
    y,
    1,
    1,
    kernel,
    3,
    0,
    { float: levels },
    signed,
  );
}

describe("a plan that is wrong", () => {
  let abi: NativeAbi;
  beforeAll(async () => {
    abi = await loadWasm({ threads: 1 });
  });
  afterAll(() => abi.dispose());

  const build = (fill: (plan: PlanBuilder) => void): (() => void) => {
    return () => {
      const plan = new PlanBuilder(2, 4);
      fill(plan);
      abi.planDestroy(makePlan(abi, plan));
    };
  };

  it("is told by the word", () => {
    const words = forwardPlan(4, 16).words();
    const changed = (at: number, to: number): (() => void) => {
      return () =>
        abi.planCreate(
          words.map((word, i) => (i === at ? to : word)),
          [],
        );
    };
    expect(changed(0, 7)).toThrow("word 0: Expected 826885202 for the magic number but received 7");
    expect(changed(3, 0)).toThrow("word 3: Expected 1 to 65536 for the tile but received 0");
    expect(changed(15, 1)).toThrow("word 15: Expected 0 for word 15 of the header but received 1");
    expect(changed(16, 9)).toThrow("word 16: Expected 0 to 3 for a value's storage but received 9");
    expect(() => abi.planCreate(words.slice(0, -1), [])).toThrow("word 2: Expected");
  });

  it.each<[string, (plan: PlanBuilder) => void, string]>([
    [
      "an unknown kernel",
      (plan) => plan.phase("tiled", { body: [node("convolve", [plan.external([2])], plan.arena([2]))] }),
      'Expected the name of a kernel but received "convolve"',
    ],
    [
      "shapes that do not fit",
      (plan) =>
        plan.phase("tiled", {
          body: [
            node(
              "conv2d",
              [plan.external([1]), plan.external([1], { perImage: false })],
              plan.arena([1]),
              1,
              0,
              1,
              0,
              0,
            ),
          ],
        }),
      "[conv2d] node 0: Expected images [N,C,H,W] and a weight [O,C/groups,K,K] but received [N,1], [1] → [N,1] with attributes 1, 0, 1, 0, 0",
    ],
    [
      "groups that do not divide the channels",
      (plan) => plan.phase("tiled", { body: [convOfGroups(plan, [4, 2, 1, 1], 3)] }),
      "[conv2d] node 0: Expected a number of groups that divides both channel counts but received [N,4,2,2], [4,2,1,1] → [N,4,2,2] with attributes 1, 0, 3, 0, 0",
    ],
    [
      "no groups",
      (plan) => plan.phase("tiled", { body: [convOfGroups(plan, [4, 4, 1, 1], 0)] }),
      "[conv2d] node 0: Expected a number of groups that divides both channel counts",
    ],
    [
      "a weight of other groups",
      (plan) => plan.phase("tiled", { body: [convOfGroups(plan, [4, 4, 1, 1], 2)] }),
      "[conv2d] node 0: Expected a weight [O,C/groups,K,K] of the images' channels",
    ],
    ...(
      [
        ["too few words", { words: 8 }, "Expected a weight [O,factors / 4]"],
        ["a weight of floats", { dtype: "f32" }, "Expected the kernel's element types"],
        ["no kernel", { kernel: 0 }, "Expected a kernel of 1 to 64"],
        ["no levels", { levels: 0 }, "Expected positive levels"],
        ["levels that are no number", { levels: NaN }, "Expected positive levels"],
        ["signs that are neither", { signed: 2 }, "Expected 0 or 1 for signed levels"],
      ] as const
    ).map(([what, wrong, message]): [string, (plan: PlanBuilder) => void, string] => [
      `integers with ${what}`,
      (plan) => plan.phase("tiled", { body: [quantizedConv(plan, wrong)] }),
      `[quantizedConv2d] node 0: ${message}`,
    ]),
    [
      "external images outside load and store",
      (plan) => plan.phase("tiled", { body: [node("relu", [plan.external([2, 3, 3])], plan.arena([2, 3, 3]))] }),
      "[relu] node 0: Expected only load and store to touch external images (NCHW) but received value 0 [N,2,3,3], which is external",
    ],
    [
      "an input that nothing wrote",
      (plan) => plan.phase("tiled", { body: [node("relu", [plan.arena([3])], plan.arena([3]))] }),
      "Expected an input that an earlier node of the phase wrote",
    ],
    [
      "per-image values in a whole phase",
      (plan) => plan.phase("whole", { body: [node("relu", [plan.external([3])], plan.external([3]))] }),
      "Expected whole values in a parameter or whole phase",
    ],
    [
      "a reduction read in its own phase",
      (plan) => {
        const sum = plan.shared([], { perImage: false });
        plan.phase("tiled", {
          body: [node("reduceBatch", [plan.external([])], sum, 0), node("expandBatch", [sum], plan.arena([]), 0)],
        });
      },
      "Expected reductions to be read after their phase",
    ],
    [
      "a parameter phase that writes outside",
      (plan) => {
        plan.phase("parameters", {
          body: [node("relu", [plan.external([3], { perImage: false })], plan.external([3], { perImage: false }))],
        });
        plan.phase("tiled", {});
      },
      "Expected outputs of parameter phases, which do not run every time, in the shared arena",
    ],
    [
      "carries in a plan that repeats from outside",
      (plan) => {
        const [a, b] = [plan.arena([]), plan.arena([])];
        plan.phase("tiled", { loads: [node("load", [plan.external([])], a)], body: [node("relu", [a], b)] });
        plan.phase("whole", {});
        plan.carry(a, b);
      },
      "carry 0: Expected a plan of one tiled phase without reductions",
    ],
    [
      "a queue that nothing fills",
      (plan) => {
        const [entropy, probabilities] = [plan.arena([]), plan.arena([2])];
        const [x, queued] = [plan.external([2]), plan.queue(1, [2])];
        const exit = (logits: number): ReturnType<typeof node>[] => [
          node("entropy", [logits], entropy),
          node("softmax", [logits], probabilities),
        ];
        const phases = [plan.phase("tiled", { body: exit(x) }), plan.phase("tiled", { body: exit(queued) })];
        phases.forEach((phase, i) => plan.segment(phase, entropy, probabilities, i, []));
      },
      "Expected a move that fills this queue value",
    ],
  ])("because of %s is told by the node", (_, fill, message) => {
    expect(build(fill)).toThrow(message);
    expect(abi.liveBytes()).toBe(0);
  });

  it("because a shared value would be overwritten while another worker reads it is refused", () => {
    const plan = new PlanBuilder(2, 64);
    const [x, y] = [plan.external([3]), plan.external([3])];
    const [a, b] = [plan.shared([3]), plan.shared([3])];
    plan.phase("tiled", { body: [node("relu", [x], a)] });
    plan.phase("tiled", { body: [node("relu", [a], b), node("neg", [b], y)] });
    const words = plan.words();
    // Value 3 is b. In a's own place its rows are a's, and a worker overwrites only what it has read itself; a few floats further, it
    // overwrites rows of a that another worker has yet to read.
    const offset = 16 + 3 * 10 + 2;
    abi.planDestroy(abi.planCreate(words.with(offset, 0), []));
    expect(() => abi.planCreate(words.with(offset, 16), [])).toThrow(
      "[relu] node 1: Expected a shared output apart from all other shared values of its tiled phase",
    );
  });

  it("because labels would be overwritten between their check and their use is refused", () => {
    const plan = new PlanBuilder(2, 4);
    const [ct, logits] = [plan.external([]), plan.external([40])];
    const labels = plan.arena([], { dtype: "i32" });
    const gradient = plan.arena([40]);
    plan.phase("tiled", {
      loads: [node("load", [plan.external([], { dtype: "i32" })], labels)],
      body: [node("crossEntropyGrad", [ct, logits, labels], gradient)],
    });
    const words = plan.words();
    abi.planDestroy(abi.planCreate(words, []));
    expect(() => abi.planCreate(words.with(16 + gradient * 10 + 2, 0), [])).toThrow(
      "[crossEntropyGrad] node 1: Expected an output apart from the integers that the node reads",
    );
  });

  it("because an external buffer would have values of two kinds is refused", () => {
    const plan = new PlanBuilder(2, 4);
    const [x, y] = [plan.external([3]), plan.external([3])];
    const other = plan.external([2]);
    plan.phase("tiled", { body: [node("relu", [x], y)] });
    const words = plan.words();
    abi.planDestroy(abi.planCreate(words.with(16 + y * 10 + 1, 0), []));
    expect(() => abi.planCreate(words.with(16 + other * 10 + 1, 0), [])).toThrow(
      "value 2: Expected the shape and type of the others in its external buffer",
    );
  });
});
