import type { AttrsOf, OpName } from "../../src/ops/index.js";
import { f32, i32, type Spec } from "../../src/ops/spec.js";

/** The values an input is drawn from. */
export type Draw = "normal" | "positive" | "labels" | "ids" | "seed" | "flags" | "distinct" | "words";

export interface CaseInput {
  readonly spec: Spec;
  readonly draw: Draw;
}

/** One row of the conformance table: an operation on given shapes. */
export interface Case {
  readonly title: string;
  readonly op: OpName;
  readonly inputs: readonly (CaseInput | null)[];
  readonly attrs: unknown;
  /** Largest error, relative to the largest element, on the native backends. */
  readonly tolerance: number;
  /** Whether the gradient is checked against finite differences. */
  readonly differentiable: boolean;
}

interface Extra {
  readonly note?: string;
  readonly tolerance?: number;
  readonly differentiable?: boolean;
}

function row<O extends OpName>(
  op: O,
  inputs: readonly (CaseInput | null)[],
  attrs: AttrsOf<O>,
  extra: Extra = {},
): Case {
  const { note, tolerance = 2e-6, differentiable = true } = extra;
  const shapes = inputs.map((input) => (input === null ? "–" : `[${input.spec.shape.join(",")}]`)).join(" ");
  return { title: `${op} ${shapes} ${note ?? JSON.stringify(attrs)}`, op, inputs, attrs, tolerance, differentiable };
}

const normal = (...shape: (number | "N")[]): CaseInput => ({ spec: f32(...shape), draw: "normal" });
const positive = (...shape: (number | "N")[]): CaseInput => ({ spec: f32(...shape), draw: "positive" });
const distinct = (...shape: (number | "N")[]): CaseInput => ({ spec: f32(...shape), draw: "distinct" });
const labels: CaseInput = { spec: i32("N"), draw: "labels" };
const ids: CaseInput = { spec: i32("N"), draw: "ids" };
const seed: CaseInput = { spec: i32(2), draw: "seed" };
const flags: CaseInput = { spec: f32("N"), draw: "flags" };
const words = (...shape: number[]): CaseInput => ({ spec: i32(...shape), draw: "words" });
const notDifferentiable = { differentiable: false };

/**
 * Shapes of a convolution: channels in and out, size, kernel, stride, padding, groups. Winograd's F(4×4) errs by up to 1e-5. Depthwise ones have as
 * many groups as channels, on both sides.
 */
const convolutions: readonly (readonly [number, number, number, number, number, number, number?])[] = [
  [1, 32, 28, 3, 1, 0],
  [32, 32, 26, 3, 1, 0],
  [32, 64, 12, 3, 1, 0],
  [64, 64, 10, 3, 1, 0],
  [32, 16, 26, 3, 2, 0],
  [3, 16, 9, 3, 1, 1],
  [16, 16, 8, 3, 1, 1],
  [8, 12, 7, 3, 2, 1],
  [4, 8, 6, 1, 1, 0],
  [4, 8, 6, 1, 2, 0],
  [5, 7, 9, 5, 1, 2],
  [3, 2, 5, 3, 1, 2],
  [1, 1, 4, 2, 1, 0],
  [32, 32, 16, 3, 1, 1, 32],
  [24, 24, 9, 3, 1, 1, 24],
  [20, 20, 9, 3, 2, 1, 20],
  [5, 5, 8, 3, 2, 1, 5],
  [3, 3, 7, 5, 3, 2, 3],
  [6, 12, 5, 3, 1, 1, 6],
  [8, 12, 7, 3, 2, 1, 4],
  [16, 8, 6, 1, 1, 0, 2],
];

const convolutionCases = convolutions.flatMap(([c, o, size, k, stride, padding, groups = 1]): Case[] => {
  const out = Math.floor((size + 2 * padding - k) / stride) + 1;
  const attrs = { stride, padding, groups, methods: "any" } as const;
  const [x, w, y] = [normal("N", c, size, size), normal(o, c / groups, k, k), normal("N", o, out, out)];
  // Finite differences over the larger shapes would take minutes, and show nothing that the smaller ones do not.
  const extra: Extra = {
    tolerance: 2e-5,
    note: `stride ${stride} padding ${padding} groups ${groups}`,
    differentiable: size < 10,
  };
  const gradient = { ...attrs, size: [size, size] as const };
  return [
    row("conv2d", [x, w, null, null], { ...attrs, relu: false }, extra),
    row("conv2d", [x, w, normal(o), y], { ...attrs, relu: true, methods: "local" }, extra),
    row("conv2dInputGrad", [y, w, null, null], gradient, { ...extra, ...notDifferentiable }),
    row("conv2dInputGrad", [y, w, x, x], { ...gradient, methods: "direct" }, { ...extra, ...notDifferentiable }),
    row("conv2dWeightGrad", [x, y], { ...attrs, kernel: [k, k] }, { ...extra, ...notDifferentiable }),
  ];
});

const linearCases = (
  [
    [1024, 200],
    [200, 10],
    [7, 5],
  ] as const
).flatMap(([k, o]): Case[] => {
  const differentiable = k < 100;
  return [
    row("linear", [normal("N", k), normal(o, k), null], { relu: false }, { differentiable, tolerance: 5e-6 }),
    row("linear", [normal("N", k), normal(o, k), normal(o)], { relu: true }, { differentiable, tolerance: 5e-6 }),
    row("linearInputGrad", [normal("N", o), normal(o, k), null, null], {}, { ...notDifferentiable, tolerance: 5e-6 }),
    row(
      "linearInputGrad",
      [normal("N", o), normal(o, k), normal("N", k), normal("N", k)],
      {},
      { ...notDifferentiable, tolerance: 5e-6 },
    ),
    row("linearWeightGrad", [normal("N", k), normal("N", o)], {}, { ...notDifferentiable, tolerance: 5e-6 }),
  ];
});

/** Sums of integers are exact, and what comes after is rounded in one order: no tolerance. */
const exactly = { ...notDifferentiable, tolerance: 0 };

/** As `convolutions`, without groups. */
const quantizedConvolutions: readonly (readonly [number, number, number, number, number, number])[] = [
  [1, 32, 28, 3, 1, 0],
  [3, 16, 9, 3, 1, 1],
  [32, 64, 12, 3, 1, 0],
  [64, 64, 8, 3, 1, 1],
  [16, 16, 13, 3, 1, 1],
  [24, 20, 7, 3, 1, 1],
  [16, 64, 9, 5, 1, 2],
  [128, 16, 6, 3, 1, 1],
  [32, 16, 26, 3, 2, 0],
  [4, 8, 6, 1, 2, 0],
  [5, 7, 9, 5, 1, 2],
  [3, 2, 5, 3, 1, 2],
  [1, 1, 4, 2, 1, 0],
];

const quantizedCases = [
  ...quantizedConvolutions.flatMap(([c, o, size, k, stride, padding]): Case[] => {
    const out = Math.floor((size + 2 * padding - k) / stride) + 1;
    const attrs = { stride, padding, kernel: [k, k] as const };
    const weight = words(o, Math.ceil((c * k * k) / 4));
    const [x, scale, bias, y] = [normal("N", c, size, size), positive(o), normal(o), normal("N", o, out, out)];
    const note = `kernel ${k} stride ${stride} padding ${padding}`;
    return [
      row(
        "quantizedConv2d",
        [x, weight, scale, null, null],
        { ...attrs, relu: false, levels: 50, signed: true },
        { ...exactly, note },
      ),
      row(
        "quantizedConv2d",
        [x, weight, scale, bias, y],
        { ...attrs, relu: true, levels: 150, signed: false },
        { ...exactly, note },
      ),
    ];
  }),
  ...(
    [
      [1024, 200],
      [200, 10],
      [7, 5],
    ] as const
  ).flatMap(([k, o]): Case[] => {
    const [x, weight] = [normal("N", k), words(o, Math.ceil(k / 4))];
    return [
      row("quantizedLinear", [x, weight, positive(o), null], { relu: false, levels: 150, signed: false }, exactly),
      row("quantizedLinear", [x, weight, positive(o), normal(o)], { relu: true, levels: 50, signed: true }, exactly),
    ];
  }),
];

const poolCases = (
  [
    [6, 2, 2, 0],
    [7, 2, 2, 0],
    [7, 3, 2, 1],
    [5, 3, 1, 0],
    [8, 8, 8, 0],
  ] as const
).flatMap(([size, kernel, stride, padding]): Case[] => {
  const attrs = { kernel, stride, padding };
  const out = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  const gradient = { ...attrs, size: [size, size] as const };
  return [1, 5, 8].flatMap((channels) => [
    row("maxPool2d", [distinct("N", channels, size, size)], attrs),
    row(
      "maxPool2dGrad",
      [normal("N", channels, out, out), distinct("N", channels, size, size)],
      gradient,
      notDifferentiable,
    ),
    row("avgPool2d", [normal("N", channels, size, size)], attrs),
    row("avgPool2dGrad", [normal("N", channels, out, out)], gradient, notDifferentiable),
  ]);
});

const shapes = [["N", 3, 5, 5], ["N", 8, 4, 4], ["N", 10], ["N"], [6, 3], []] as const;

const unaryCases = shapes.flatMap((shape): Case[] => [
  row("relu", [normal(...shape)], {}),
  row("neg", [normal(...shape)], {}),
  row("abs", [normal(...shape)], {}),
  row("sign", [normal(...shape)], {}, notDifferentiable),
  row("exp", [normal(...shape)], {}),
  row("log", [positive(...shape)], {}),
  row("sqrt", [positive(...shape)], {}),
  row("affine", [normal(...shape)], { scale: -1.5, shift: 0.25 }),
  row("clamp", [normal(...shape)], { lo: -0.5, hi: 0.75 }),
  row("copy", [normal(...shape)], {}),
  row("reluGrad", [normal(...shape), normal(...shape)], {}, notDifferentiable),
]);

const binaryOperands: readonly (readonly [CaseInput, CaseInput, CaseInput])[] = [
  ...shapes.map((shape) => [normal(...shape), normal(...shape), positive(...shape)] as const),
  [normal("N", 3, 5, 5), normal("N"), positive("N")],
  [normal("N", 3, 5, 5), normal(), positive()],
  [normal("N"), normal("N", 10), positive("N", 10)],
  [normal(), normal(6, 3), positive(6, 3)],
  [normal(), normal("N", 4, 2, 2), positive("N", 4, 2, 2)],
];

const binaryCases = binaryOperands.flatMap(([a, b, divisor]): Case[] => [
  row("add", [a, b], {}),
  row("sub", [a, b], {}),
  row("mul", [a, b], {}),
  row("div", [a, divisor], {}),
  row("minimum", [a, b], {}),
  row("maximum", [a, b], {}),
  row("greater", [a, b], {}, notDifferentiable),
]);

const otherCases: readonly Case[] = [
  row("channelAffine", [normal("N", 5, 3, 3), normal(5), normal(5)], {}),
  row("channelAffine", [normal("N", 8, 4, 4), normal(8), normal(8)], {}),
  row("channelAffine", [normal("N", 6), normal(6), normal(6)], {}),
  row("channelSum", [normal("N", 5, 3, 3)], {}, { ...notDifferentiable, tolerance: 5e-6 }),
  row("channelSum", [normal("N", 32, 24, 24)], {}, { ...notDifferentiable, tolerance: 5e-6 }),
  row("channelSum", [normal("N", 200)], {}, { ...notDifferentiable, tolerance: 5e-6 }),
  row("row", [normal(3, 5)], { index: 2 }, notDifferentiable),
  row("scaleRows", [normal(6, 3, 3, 3), normal(6)], {}, notDifferentiable),
  row("select", [flags, normal("N", 3, 4, 4), normal("N", 3, 4, 4)], {}, notDifferentiable),
  row("select", [flags, normal("N"), normal("N")], {}, notDifferentiable),
  row("reshape", [normal("N", 64, 4, 4)], { shape: ["N", 1024] }),
  row("reshape", [normal("N", 12)], { shape: ["N", 3, 2, 2] }),
  row("reshape", [normal("N", 4, 3, 2)], { shape: ["N", 2, 3, 4] }),
  row("reshape", [normal(6, 4)], { shape: [3, 8] }),
  row("expand", [normal("N")], { shape: ["N", 3, 4, 4] }),
  row("expand", [normal()], { shape: ["N", 7] }),
  row("expand", [normal()], { shape: [4, 5] }),
  row("sumPerImage", [normal("N", 3, 6, 6)], {}, { tolerance: 5e-6 }),
  row("sumPerImage", [normal("N", 10)], {}),
  row("sumAll", [normal(6, 9)], {}, { tolerance: 5e-6 }),
  row("reduceBatch", [normal("N")], { mean: true }),
  row("reduceBatch", [normal("N")], { mean: false }),
  row("allReduce", [normal(3, 4)], { mean: false }, notDifferentiable),
  row("allReduce", [normal()], { mean: true }, notDifferentiable),
  row("expandBatch", [normal()], { mean: true }),
  row("expandBatch", [normal()], { mean: false }),
  row("fill", [], { value: 1.5, shape: ["N", 3, 2, 2] }, notDifferentiable),
  row("fill", [], { value: -2, shape: [4] }, notDifferentiable),
  row("crossEntropy", [normal("N", 10), labels], {}),
  row("crossEntropyGrad", [normal("N"), normal("N", 10), labels], {}, notDifferentiable),
  row("uniformCrossEntropy", [normal("N", 10)], {}),
  row("margin", [distinct("N", 10), labels], { scaled: false }),
  row("margin", [distinct("N", 10), labels], { scaled: true }),
  row("marginGrad", [normal("N"), distinct("N", 10), labels], { scaled: false }, notDifferentiable),
  row("marginGrad", [normal("N"), distinct("N", 10), labels], { scaled: true }, notDifferentiable),
  row("softmax", [normal("N", 10)], {}, notDifferentiable),
  row("entropy", [normal("N", 10)], {}, notDifferentiable),
  row("argmax", [normal("N", 10)], {}, notDifferentiable),
  row(
    "randomUniform",
    [seed, ids],
    { lo: -0.3, hi: 0.3, stream: 2, shape: ["N", 3, 5, 5] },
    { ...notDifferentiable, tolerance: 0 },
  ),
  row(
    "randomUniform",
    [seed, ids],
    { lo: 0, hi: 1, stream: 0, shape: ["N", 13] },
    { ...notDifferentiable, tolerance: 0 },
  ),
  // Of one pixel: the order of the bits is the backend's own where there are more (test/conformance/mask-bits.test.ts).
  row("positiveBits", [normal("N", 64, 1, 1)], {}, { ...notDifferentiable, tolerance: 0 }),
  row("dropout", [normal("N", 3, 5, 5), seed, ids], { rate: 0.5, stream: 1 }),
  row("dropout", [normal("N", 200), seed, ids], { rate: 0.3, stream: 4 }, { differentiable: false }),
];

const normCases = (
  [
    ["N", 16, 7, 7],
    ["N", 5, 3, 3],
    ["N", 6],
  ] as const
).flatMap((shape): Case[] => {
  const c = shape[1];
  const [x, dy, moments] = [normal(...shape), normal(...shape), positive(3, c)];
  // Moments are given here as inputs of their own; the gradient through them is checked in test/grad/batch-norm.test.ts.
  const extra = { ...notDifferentiable, tolerance: 5e-6 };
  return [
    row("channelMoments", [x], {}, extra),
    row("batchNorm", [x, moments, normal(c), normal(c), null], { eps: 1e-5, relu: false }, extra),
    row("batchNorm", [x, moments, normal(c), normal(c), dy], { eps: 1e-5, relu: true }, extra),
    row("batchNormGradSums", [dy, x, moments], { eps: 1e-5 }, extra),
    row("batchNormInputGrad", [dy, x, moments, normal(c), normal(2, c)], { eps: 1e-5 }, extra),
  ];
});

/** THE conformance table: every operation has at least one row (a test holds it). */
export const cases: readonly Case[] = [
  ...convolutionCases,
  ...linearCases,
  ...quantizedCases,
  ...poolCases,
  ...normCases,
  ...unaryCases,
  ...binaryCases,
  ...otherCases,
];
