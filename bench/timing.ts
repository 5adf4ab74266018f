/** The fastest of some runs, in seconds: what else the machine does meanwhile then delays few figures. */
export function fastest(runs: number, work: () => void): number {
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    work();
    return (performance.now() - start) / 1e3;
  });
  return Math.min(...times);
}

/** Seconds of a call, over at least so many. */
export async function secondsOf(call: () => Promise<unknown>, atLeast: number): Promise<number> {
  const start = performance.now();
  let calls = 0;
  let seconds: number;
  do {
    await call();
    calls++;
    seconds = (performance.now() - start) / 1e3;
  } while (seconds < atLeast);
  return seconds / calls;
}

/** Lets the JavaScript engine put in place what it has compiled meanwhile. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
