import { describe, expect, it } from "vitest";
import { LossWatch } from "../../src/training/loss-watch.js";

const CHANCE = Math.log(10);

/** Observes losses until the watch objects; the number of losses taken and why it objected. */
function watch(losses: Iterable<number>, patience = 50): { taken: number; reason: string | undefined } {
  const watcher = new LossWatch(CHANCE, patience);
  let taken = 0;
  for (const loss of losses) {
    taken++;
    const reason = watcher.observe(loss);
    if (reason !== undefined) return { taken, reason };
  }
  return { taken, reason: undefined };
}

const repeated = (loss: number, times: number): number[] => Array.from({ length: times }, () => loss);
const falling = Array.from({ length: 200 }, (_, i) => CHANCE * (1 - i / 250));

describe("watching the loss", () => {
  it("objects at once to what is not finite", () => {
    expect(watch([2, NaN])).toEqual({ taken: 2, reason: "the loss became NaN" });
    expect(watch([Infinity])).toEqual({ taken: 1, reason: "the loss became Infinity" });
  });

  it("has patience with a network that has not learned yet, with noise, and with a single bad batch", () => {
    expect(watch(repeated(CHANCE, 5000)).reason).toBeUndefined();
    expect(watch(repeated(1.2 * CHANCE, 5000)).reason).toBeUndefined();
    expect(watch([...falling, 100, ...repeated(0.5, 500)]).reason).toBeUndefined();
    expect(watch([30, ...repeated(CHANCE, 100), ...falling]).reason).toBeUndefined();
  });

  it("objects to a loss that explodes", () => {
    const { taken, reason } = watch([...repeated(2, 20), ...repeated(40, 100)]);
    expect(reason).toMatch(/the loss grew to 1\d/);
    expect(taken).toBeLessThan(40);
  });

  it("objects when a network that had learned does no better than guessing for long", () => {
    const { taken, reason } = watch([...falling, ...repeated(CHANCE, 300)]);
    expect(reason).toContain("forgot what it had learned");
    expect(taken).toBeLessThan(200 + 150);
    expect(watch([...falling, ...repeated(CHANCE, 60), ...falling]).reason).toBeUndefined();
  });

  it("goes on from its history as if it had never stopped", () => {
    const losses = [...falling, ...repeated(CHANCE, 80)];
    const whole = new LossWatch(CHANCE, 50);
    for (const loss of losses) whole.observe(loss);
    const first = new LossWatch(CHANCE, 50);
    for (const loss of losses.slice(0, 230)) first.observe(loss);
    const second = new LossWatch(CHANCE, 50, first.history);
    for (const loss of losses.slice(230)) second.observe(loss);
    expect(second.history).toEqual(whole.history);
  });
});
