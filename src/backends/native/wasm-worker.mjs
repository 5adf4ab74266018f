/* global WebAssembly */
// A thread of the threaded engine: an instance of the module on the memory that all threads share, with a stack of its own. It serves
// until it is terminated.
import { parentPort, workerData } from "node:worker_threads";

const { module, memory, engine, worker, stack } = workerData;
const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
exports.__stack_pointer.value = stack;
// Entering the engine blocks this thread, so whoever waits for it is told before.
parentPort.postMessage("ready");
exports.rdi_worker_main(engine, worker);
