/** A thread of a WebAssembly engine, in a browser's worker: it serves until it is terminated. */
import type { EngineExports, ThreadData } from "../wasm-engine.js";
import type { ThreadStarted } from "./web-threads.js";

async function serve({ module, memory, engine, worker, stack }: ThreadData): Promise<void> {
  const say = (started: ThreadStarted): void => postMessage(started);
  try {
    const instance = await WebAssembly.instantiate(module, { env: { memory } });
    const exports = instance.exports as unknown as EngineExports;
    exports.__stack_pointer.value = stack;
    // Entering the engine blocks this thread, so whoever waits for it is told before.
    say({ failure: null });
    exports.rdi_worker_main(engine, worker);
  } catch (error) {
    say({ failure: String(error) });
  }
}

addEventListener("message", ({ data }: MessageEvent<ThreadData>) => void serve(data), { once: true });
