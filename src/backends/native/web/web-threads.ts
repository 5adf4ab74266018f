import type { EngineThread, ThreadData } from "../wasm-engine.js";

/** What a thread says when it is about to enter the engine, or cannot. */
export interface ThreadStarted {
  readonly failure: string | null;
}

/** Starts a thread of an engine as a worker of a browser. */
export function startWebThread(data: ThreadData): EngineThread {
  const worker = new Worker(new URL("./wasm-thread.js", import.meta.url), { type: "module" });
  const ready = new Promise<void>((resolve, reject) => {
    const settle = ({ data: { failure } }: MessageEvent<ThreadStarted>): void => {
      if (failure === null) resolve();
      else reject(new Error(failure));
    };
    worker.addEventListener("message", settle, { once: true });
    worker.addEventListener("error", ({ message }) => reject(new Error(message)), { once: true });
  });
  worker.postMessage(data);
  return { ready, end: () => worker.terminate() };
}
