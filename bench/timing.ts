/** The fastest of some runs, in seconds: what else the machine does meanwhile then delays few figures. */
export function fastest(runs: number, work: () => void): number {
  const times = Array.from({ length: runs }, () => {
    const start = performance.now();
    work();
    return (performance.now() - start) / 1e3;
  });
  return Math.min(...times);
}

/** Lets the JavaScript engine put in place what it has compiled meanwhile. */
export async function settle(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
}
