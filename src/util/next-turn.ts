/**
 * Lets timers, signals and input be handled before long work goes on: engines compute on the caller's thread, and awaiting their results alone
 * never gives way.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
