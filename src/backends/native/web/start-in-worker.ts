import { BackendError } from "../../../util/errors.js";
import type { NativeAbi } from "../abi.js";
import type { Reply, Request } from "../remote/messages.js";
import { RemoteEngine } from "../remote/remote-engine.js";
import type { WasmStart } from "../wasm-engine.js";

/** The first message to the worker; what follows is for its `EngineServer`. */
export type StartRequest = Omit<WasmStart, "startThread">;
/** Its answer. */
export type Started = { readonly started: true } | { readonly started: false; readonly reason: string };

/** Starts an engine in a worker, which the caller's thread then never waits for. @throws BackendError if it cannot be started */
export async function startInWorker(start: StartRequest): Promise<NativeAbi> {
  const worker = new Worker(new URL("./compute-worker.js", import.meta.url), { type: "module" });
  try {
    await answerOf(worker, start);
  } catch (error) {
    worker.terminate();
    throw error;
  }
  const { threads, instructionSet } = start;
  const port = {
    postMessage: (request: Request, transfer: ArrayBuffer[]) => worker.postMessage(request, { transfer }),
  };
  const engine = new RemoteEngine({ name: "wasm", threads, instructionSet }, port, () => worker.terminate());
  worker.addEventListener("message", ({ data }: MessageEvent<Reply>) => engine.receive(data));
  worker.addEventListener("error", ({ message }) =>
    engine.fail(`Expected the engine's worker to go on but it failed: ${message}`),
  );
  return engine;
}

function answerOf(worker: Worker, start: StartRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.addEventListener(
      "message",
      ({ data }: MessageEvent<Started>) => {
        if (data.started) resolve();
        else reject(new BackendError(data.reason));
      },
      { once: true },
    );
    worker.addEventListener(
      "error",
      ({ message }) => {
        // Of a file that cannot be loaded there is no message.
        const why = message || "its file could not be loaded";
        reject(new BackendError(`Expected a worker for the WebAssembly engine to start but ${why}`));
      },
      { once: true },
    );
    worker.postMessage(start);
  });
}
