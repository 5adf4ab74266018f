import { SingleBar } from "cli-progress";

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
  const bar = new SingleBar({
    format: `${title} {bar} {value}/{total} {detail} ETA {eta_formatted}`,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 30,
    hideCursor: true,
    clearOnComplete: false,
    stream: process.stderr,
    stopOnComplete: false,
    gracefulExit: true,
  });
  let started = false;
  return {
    update: (done, total, detail = "") => {
      if (!started) {
        bar.start(total, done, { detail });
        started = true;
      }
      bar.setTotal(total);
      bar.update(done, { detail });
      // Computation keeps the timer that redraws the bar from firing.
      bar.render();
    },
    [Symbol.dispose]() {
      if (started) bar.stop();
    },
  };
}

function lineProgress(title: string): Progress {
  let last = -Infinity;
  let pending: string | undefined;
  const flush = (): void => {
    if (pending !== undefined) process.stderr.write(`${pending}\n`);
    pending = undefined;
  };
  return {
    update: (done, total, detail = "") => {
      pending = [`${title}: ${done}/${total}`, detail].filter((part) => part !== "").join("  ");
      const now = performance.now();
      if (now - last < LINE_INTERVAL_MS) return;
      last = now;
      flush();
    },
    [Symbol.dispose]: flush,
  };
}
