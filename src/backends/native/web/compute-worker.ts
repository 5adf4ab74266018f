/** An engine in a worker of its own, so that a page never waits for it: the other end of `startInWorker`. */
import { EngineServer } from "../remote/engine-server.js";
import type { Reply, Request } from "../remote/messages.js";
import { startWasmEngine } from "../wasm-engine.js";
import { startWebThread } from "./web-threads.js";
import type { Started, StartRequest } from "./start-in-worker.js";

async function serve(start: StartRequest): Promise<void> {
  try {
    const engine = await startWasmEngine({ ...start, startThread: startWebThread });
    const server = new EngineServer(engine, {
      postMessage: (reply: Reply, transfer) => postMessage(reply, { transfer }),
    });
    addEventListener("message", ({ data }: MessageEvent<Request>) => server.receive(data));
    postMessage({ started: true } satisfies Started);
  } catch (error) {
    postMessage({ started: false, reason: error instanceof Error ? error.message : String(error) } satisfies Started);
  }
}

addEventListener("message", ({ data }: MessageEvent<StartRequest>) => void serve(data), { once: true });
