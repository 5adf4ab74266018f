import type { ExitPolicy } from "./policy.js";

/**
 * What the authors of "Triple Wins" take off their thresholds by hand, in nats, from exit 1 on, after every exit has got its equal share: by model. They
 * published it for this one.
 */
const ADJUSTMENTS: Readonly<Record<string, readonly number[]>> = {
  "rdi-resnet38": [0.15, 0.2, 0.25, 0.05, 0.05],
};

/** The thresholds of an equal-share policy of all exits of `model` as its authors lower them; the same where they do not. */
export function adjustByHand(model: string, { exits, thresholds }: ExitPolicy): ExitPolicy {
  const adjustment = ADJUSTMENTS[model] ?? [];
  return { exits, thresholds: thresholds.map((threshold, i) => threshold - (adjustment[i] ?? 0)) };
}
