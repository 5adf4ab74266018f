import { readFile } from "node:fs/promises";
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
    stride: number,
    pass: number,
    local: boolean,
    images: number,
  ): number;
  bench_conv_method(conv: number): number;
  bench_conv_run(conv: number, tiles: number): void;
}

/** The convolutions of RDI-SmallCNN, all 3×3 and without padding. */
const layers = [
  { inChannels: 1, inSize: 28, outChannels: 32, stride: 1 },
  { inChannels: 32, inSize: 26, outChannels: 32, stride: 1 },
  { inChannels: 32, inSize: 12, outChannels: 64, stride: 1 },
  { inChannels: 64, inSize: 10, outChannels: 64, stride: 1 },
  { inChannels: 32, inSize: 26, outChannels: 16, stride: 2 },
] as const;

/** `pass` is the kernels' ConvPass; local methods are what gradients through a max pool need of the forward pass before it. */
const passes = [
  { work: "forward", pass: 0, local: false },
  { work: "forward, local", pass: 0, local: true },
  { work: "input gradient", pass: 1, local: false },
  { work: "weight gradient", pass: 2, local: false },
] as const;
/** In the order of the kernels' ConvMethod. */
const methods = ["direct", "Winograd F(2×2)", "Winograd F(4×4)"] as const;
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
export async function benchKernels({ quick }: { readonly quick: boolean }): Promise<Row[]> {
  const kernels = await loadKernels();
  const cases = tiles.flatMap((tile) =>
    layers.flatMap((layer) =>
      passes
        .map((pass) => prepare(kernels, layer, pass, tile))
        .filter(({ local, method }, _, all) => !local || method !== all[0]!.method),
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
    unit: "GFLOP/s",
    note: method,
  }));
}

interface Case {
  readonly name: string;
  readonly work: string;
  readonly local: boolean;
  readonly method: string;
  readonly tile: number;
  /** Runs it, and returns GFLOP/s. */
  measure(): number;
}

function prepare(
  kernels: KernelModule,
  { inChannels, inSize, outChannels, stride }: (typeof layers)[number],
  { work, pass, local }: (typeof passes)[number],
  tile: number,
): Case {
  const conv = kernels.bench_conv(inChannels, inSize, outChannels, stride, pass, local, tile);
  if (conv === 0) throw new Error("Expected memory for the kernels' buffers but none was left");
  const outSize = Math.floor((inSize - 3) / stride) + 1;
  const operations = 2 * 9 * inChannels * outChannels * outSize ** 2 * tile;
  const repeats = Math.ceil(KERNEL_OPERATIONS / operations);
  return {
    name: `conv 3×3 ${inChannels}→${outChannels} @${inSize}${stride > 1 ? ` /${stride}` : ""}`,
    work,
    local,
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
