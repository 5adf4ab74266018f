import { note } from "./output.js";

/**
 * Ctrl-C asks work to stop at the next good place; while it does, a second one kills the process at once. Both are as without us again after the
 * `using` block.
 */
export function onInterrupt(message: string): { readonly signal: AbortSignal; [Symbol.dispose](): void } {
  const controller = new AbortController();
  const stop = (): void => {
    // The listener is gone by now, so that the system's own way of interrupting is back.
    note(`\n${message} Press Ctrl-C again to stop at once.`);
    controller.abort();
  };
  process.once("SIGINT", stop);
  return {
    signal: controller.signal,
    [Symbol.dispose]: () => void process.off("SIGINT", stop),
  };
}
