import { BufferUse, type NativeAbi, type Pointer } from "../../src/backends/native/abi.js";
import { openAddonEngine, type Addon } from "../../src/backends/native/addon-engine.js";
import { loadAddon } from "../../src/backends/native/load-addon.js";
import { EngineServer } from "../../src/backends/native/remote/engine-server.js";
import type { Reply, Request } from "../../src/backends/native/remote/messages.js";
import { RemoteEngine } from "../../src/backends/native/remote/remote-engine.js";
import { loadWasm } from "../../src/backends/native/wasm-module.js";
import { notChosen } from "../support/chosen.js";
import { emulatedCuda } from "../support/emulated-cuda.js";
import type { PlanBuilder } from "./plan-builder.js";

export type Data = Float32Array | Int32Array;

/** An engine under test, behind the one interface that WebAssembly and the addon share. */
export interface EngineUnderTest {
  readonly title: string;
  readonly open: (threads: number) => Promise<NativeAbi>;
  /** That it can have: a GPU is one worker. */
  readonly mostThreads: number;
  /** Why it cannot run here. */
  readonly unavailable?: string;
}

const MOST_THREADS = 256;

/** WebAssembly at the other end of a channel, as a page has it in a worker; here both ends are on one thread. */
async function openRemote(threads: number): Promise<NativeAbi> {
  const engine = await loadWasm({ threads });
  const { port1, port2 } = new MessageChannel();
  const server = new EngineServer(engine, port2);
  const remote = new RemoteEngine(engine, port1, () => {
    server.end();
    port1.close();
  });
  port1.onmessage = ({ data }: MessageEvent<Reply>) => remote.receive(data);
  port2.onmessage = ({ data }: MessageEvent<Request>) => server.receive(data);
  return remote;
}

/** The kernels of the processor's addon, one engine for each of its instruction sets. */
function cpuEngines(): EngineUnderTest[] {
  try {
    const addon = loadAddon();
    return addon.instructionSets.map(({ name, supported }) => ({
      title: `cpu, ${name}`,
      open: async (threads) => Promise.resolve(openAddonEngine(addon, { threads, instructionSet: name })),
      mostThreads: MOST_THREADS,
      ...(!supported && { unavailable: "this machine lacks it" }),
    }));
  } catch (error) {
    return [unavailable("cpu", error)];
  }
}

function cudaEngine(title: string, load: () => Addon): EngineUnderTest {
  try {
    const addon = load();
    const [device] = addon.devices;
    return {
      title,
      open: async (threads) => Promise.resolve(openAddonEngine(addon, { name: "cuda", threads })),
      mostThreads: 1,
      ...(device === undefined && { unavailable: addon.noDevices ?? "there is no device" }),
    };
  } catch (error) {
    return unavailable(title, error);
  }
}

function unavailable(title: string, error: unknown): EngineUnderTest {
  const { message } = error as Error;
  return { title, open: () => Promise.reject(new Error(message)), mostThreads: 1, unavailable: message };
}

/** Those that `RDI_TEST_BACKENDS` does not choose are unavailable. */
function chosen(engine: EngineUnderTest): EngineUnderTest {
  const why = notChosen(engine.title);
  return why === undefined ? engine : { ...engine, unavailable: why };
}

export const engines: readonly EngineUnderTest[] = [
  { title: "wasm", open: (threads: number) => loadWasm({ threads }), mostThreads: MOST_THREADS },
  { title: "wasm, remote", open: (threads: number) => openRemote(threads), mostThreads: MOST_THREADS },
  ...cpuEngines(),
  cudaEngine("cuda", () => loadAddon("cuda")),
  cudaEngine("cuda (emulated)", emulatedCuda),
].map(chosen);

/** Makes a plan whose runs may read and write every buffer. */
export function makePlan(abi: NativeAbi, plan: PlanBuilder): Pointer {
  return abi.planCreate(
    plan.words(),
    plan.buffers.map(() => BufferUse.Update),
  );
}

/** Runs a plan once on copies of `buffers`, and returns what they hold afterwards. Nothing stays in the engine. */
export function runOnce(
  abi: NativeAbi,
  plan: PlanBuilder,
  batch: number,
  buffers: readonly Data[],
  repeat = 1,
): Promise<Data[]> {
  return withBuffers(abi, buffers, async (pointers) => {
    const handle = makePlan(abi, plan);
    try {
      abi.planRun({ plan: handle, batch, repeat, buffers: pointers, version: 1 });
      await abi.sync(handle);
    } finally {
      abi.planDestroy(handle);
    }
    return readAll(abi, pointers, buffers);
  });
}

export interface Adaptive {
  readonly probabilities: Float32Array;
  readonly entropy: Float32Array;
  readonly exits: Int32Array;
}

export function runAdaptive(
  abi: NativeAbi,
  plan: PlanBuilder,
  batch: number,
  thresholds: readonly number[],
  buffers: readonly Data[],
  classes: number,
): Promise<Adaptive> {
  const like = [new Float32Array(batch * classes), new Float32Array(batch), new Int32Array(batch)];
  return withBuffers(abi, [Float32Array.from(thresholds), ...like, ...buffers], async (all) => {
    const [levels, probabilities, entropy, exits, ...pointers] = all as [Pointer, Pointer, Pointer, Pointer];
    const handle = makePlan(abi, plan);
    try {
      const results = { thresholds: levels, probabilities, entropy, exits };
      abi.adaptiveRun({ plan: handle, batch, buffers: pointers, version: 1, ...results });
      await abi.sync(handle);
    } finally {
      abi.planDestroy(handle);
    }
    const read = await readAll(abi, [probabilities, entropy, exits], like);
    return { probabilities: read[0] as Float32Array, entropy: read[1] as Float32Array, exits: read[2] as Int32Array };
  });
}

/** Gives `use` copies in the engine's memory, and frees them. */
export async function withBuffers<T>(
  abi: NativeAbi,
  buffers: readonly Data[],
  use: (pointers: Pointer[]) => T | Promise<T>,
): Promise<T> {
  const pointers: Pointer[] = [];
  try {
    for (const data of buffers) {
      const pointer = abi.alloc(data.byteLength);
      pointers.push(pointer);
      abi.write(pointer, data);
    }
    return await use(pointers);
  } finally {
    for (const pointer of pointers) abi.free(pointer);
  }
}

export function readAll(abi: NativeAbi, pointers: readonly Pointer[], like: readonly Data[]): Promise<Data[]> {
  return Promise.all(
    pointers.map(async (pointer, i) => {
      const copy = like[i]!.slice();
      await abi.read(pointer, copy);
      return copy;
    }),
  );
}
