import { readFile } from "node:fs/promises";
import type { Options } from "./options.js";
import { compare, type Row } from "./row.js";
import { fastest, settle } from "./timing.js";

/** What bench/native/kernels.cpp exports. */
interface KernelModule {
  bench_peak_operations(): number;
  bench_peak(iterations: number): number;
  bench_conv(
    inChannels: number,
    inSize: number,
    outChannels: number,
    kernel: number,
    stride: number,
    padding: number,
    groups: number,
    pass: number,
    allowed: number,
    images: number,
  ): number;
  bench_conv_method(conv: number): number;
  bench_conv_run(conv: number, tiles: number): void;
}

interface Layer {
  readonly inChannels: number;
  readonly inSize: number;
  readonly outChannels: number;
  readonly kernel?: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
}

/** The convolutions of RDI-SmallCNN, and depthwise ones of RDI-MobileNetV2. 3×3 unless they say otherwise. */
const layers: readonly Layer[] = [
  { inChannels: 1, inSize: 28, outChannels: 32 },
  { inChannels: 32, inSize: 26, outChannels: 32 },
  { inChannels: 32, inSize: 12, outChannels: 64 },
  { inChannels: 64, inSize: 10, outChannels: 64 },
  { inChannels: 32, inSize: 26, outChannels: 16, stride: 2 },
  { inChannels: 96, inSize: 32, outChannels: 96, padding: 1, groups: 96 },
  { inChannels: 144, inSize: 16, outChannels: 144, stride: 2, padding: 1, groups: 144 },
  { inChannels: 384, inSize: 8, outChannels: 384, padding: 1, groups: 384 },
];

/**
 * `pass` and `allowed` are the kernels' ConvPass and ConvMethods; local methods are what gradients through a max pool need of the forward pass
 * before it.
 */
const passes = [
  { work: "forward", pass: 0, allowed: 0 },
  { work: "forward, local", pass: 0, allowed: 1 },
  { work: "input gradient", pass: 1, allowed: 0 },
  { work: "weight gradient", pass: 2, allowed: 0 },
] as const;
/** In the order of the kernels' ConvMethod. */
const methods = ["direct", "Winograd F(2×2)", "Winograd F(4×4)", "depthwise"] as const;
const tiles = [8, 16] as const;

const AIM = 0.8;
/** Runs of which the fastest counts. */
const RUNS = 5;
/** Operations of a run of a kernel: a few milliseconds, less than an operating system lets a process run in one go. */
const KERNEL_OPERATIONS = 4e7;
/** Operations of a call of runPeak. */
export const PEAK_OPERATIONS = 384 * 100_000;

/** The kernels, and the loop that gives this machine's peak of multiplications and additions. */
export async function loadKernels(): Promise<KernelModule> {
  const module = await WebAssembly.compile(await readFile(new URL("rdi-bench-kernels.wasm", import.meta.url)));
  return (await WebAssembly.instantiate(module)).exports as unknown as KernelModule;
}

/** Computes PEAK_OPERATIONS multiplications and additions. */
export function runPeak(kernels: KernelModule): void {
  kernels.bench_peak(PEAK_OPERATIONS / kernels.bench_peak_operations());
}

/**
 * Each convolution kernel's operations a second, of the direct convolution whichever method computes it, as a share of the peak, which is measured
 * right before and after.
 */
export async function benchKernels({ quick }: Pick<Options, "quick">): Promise<Row[]> {
  const kernels = await loadKernels();
  const cases = tiles.flatMap((tile) =>
    layers.flatMap((layer) =>
      passes
        .map((pass) => prepare(kernels, layer, pass, tile))
        .filter(({ work, method }, _, all) => work !== "forward, local" || method !== all[0]!.method),
    ),
  );
  // Until the engine's compiler has optimised every kernel.
  await measureAll(kernels, cases, 3);
  const rounds = await measureAll(kernels, cases, quick ? 5 : 31);
  return cases.map(({ name, work, method, tile }, i) => ({
    name,
    work,
    backend: "wasm",
    peer: "peak",
    threads: 1,
    batch: tile,
    ...compare(rounds.map((round) => round[i]!)),
    aim: AIM,
    stretch: null,
    floor: null,
    unit: "GFLOP/s",
    note: method,
  }));
}

interface Case {
  readonly name: string;
  readonly work: string;
  readonly method: string;
  readonly tile: number;
  /** Runs it, and returns GFLOP/s. */
  measure(): number;
}

function prepare(
  kernels: KernelModule,
  { inChannels, inSize, outChannels, kernel = 3, stride = 1, padding = 0, groups = 1 }: Layer,
  { work, pass, allowed }: (typeof passes)[number],
  tile: number,
): Case {
  const conv = kernels.bench_conv(
    inChannels,
    inSize,
    outChannels,
    kernel,
    stride,
    padding,
    groups,
    pass,
    allowed,
    tile,
  );
  if (conv === 0) throw new Error("Expected memory for the kernels' buffers but none was left");
  const outSize = Math.floor((inSize + 2 * padding - kernel) / stride) + 1;
  const operations = 2 * kernel ** 2 * (inChannels / groups) * outChannels * outSize ** 2 * tile;
  const repeats = Math.ceil(KERNEL_OPERATIONS / operations);
  return {
    name: `conv ${kernel}×${kernel} ${inChannels}→${outChannels} @${inSize}${stride > 1 ? ` /${stride}` : ""}`,
    work,
    method: methods[kernels.bench_conv_method(conv)]!,
    tile,
    measure: () => (repeats * operations) / fastest(RUNS, () => kernels.bench_conv_run(conv, repeats)) / 1e9,
  };
}

async function measureAll(
  kernels: KernelModule,
  cases: readonly Case[],
  count: number,
): Promise<{ rate: number; peerRate: number }[][]> {
  const rounds = [];
  for (let r = 0; r < count; r++) {
    let before = peakRate(kernels);
    rounds.push(
      cases.map((kernel) => {
        const rate = kernel.measure();
        const after = peakRate(kernels);
        const peerRate = (before + after) / 2;
        before = after;
        return { rate, peerRate };
      }),
    );
    await settle();
  }
  return rounds;
}

/** In GFLOP/s. */
function peakRate(kernels: KernelModule): number {
  return PEAK_OPERATIONS / fastest(RUNS, () => runPeak(kernels)) / 1e9;
}
