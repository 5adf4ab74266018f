import { SingleBar } from "cli-progress";
import { duration } from "./output.js";

/** Shows how far long work has come: a bar on a terminal, plain lines elsewhere. On stderr. Its end is the end of the `using` block. */
export interface Progress {
  /** @param detail what else to say, such as a loss */
  readonly update: (done: number, total: number, detail?: string) => void;
  [Symbol.dispose](): void;
}

/** Between two plain lines. */
const LINE_INTERVAL_MS = 5000;

export function startProgress(title: string): Progress {
  return process.stderr.isTTY ? barProgress(title) : lineProgress(title);
}

function barProgress(title: string): Progress {
  // The terminal's settings stay as they are, so that nothing needs to be restored if Ctrl-C ends the process.
  const bar = new SingleBar({
    format: (_options, { progress, value, total }, { detail }: { readonly detail: string }) =>
      `${title} ${drawBar(progress)} ${value}/${total}  ${detail}`.slice(0, process.stderr.columns - 1),
    stream: process.stderr,
    hideCursor: false,
    linewrap: true,
    gracefulExit: false,
  });
  const left = remainingTime();
  let started = false;
  return {
    update: (done, total, detail = "") => {
      const payload = { detail: [left(done, total), detail].filter(Boolean).join("  ") };
      if (started) bar.update(done, payload);
      else bar.start(total, done, payload);
      started = true;
      // Computation keeps the timer that redraws the bar from firing.
      bar.render();
    },
    [Symbol.dispose]() {
      if (started) bar.stop();
    },
  };
}

const BAR_WIDTH = 20;

function drawBar(progress: number): string {
  const full = Math.round(BAR_WIDTH * progress);
  return "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
}

function lineProgress(title: string): Progress {
  const left = remainingTime();
  let last = -Infinity;
  let pending: string | undefined;
  const flush = (): void => {
    if (pending !== undefined) process.stderr.write(`${pending}\n`);
    pending = undefined;
  };
  return {
    update: (done, total, detail = "") => {
      pending = [`${title}: ${done}/${total}`, left(done, total), detail].filter(Boolean).join("  ");
      const now = performance.now();
      if (now - last < LINE_INTERVAL_MS) return;
      last = now;
      flush();
    },
    [Symbol.dispose]: flush,
  };
}

/** Says how long the rest will take, at the mean speed since the first update. */
function remainingTime(): (done: number, total: number) => string {
  let first: { readonly done: number; readonly at: number } | undefined;
  return (done, total) => {
    const now = performance.now();
    first ??= { done, at: now };
    if (done === first.done || done >= total) return "";
    return `${duration((((now - first.at) / 1000) * (total - done)) / (done - first.done))} left`;
  };
}
