import { Option, type Command } from "commander";
import { CALIBRATION_RULES, type CalibrationRule, type PolicyObjective } from "../inference/index.js";
import { costOfBackbone, type ExitModel } from "../nn/exit-model.js";
import { integer, number } from "./numbers.js";
import { UsageError } from "./usage-error.js";

/** How to choose a policy: by a rule of shares, or the best there is for an objective. */
export type PolicyRule = CalibrationRule | "optimal";

const POLICY_RULES: readonly PolicyRule[] = [...CALIBRATION_RULES, "optimal"];

export interface ObjectiveOptions {
  readonly rule?: PolicyRule;
  readonly save?: number;
  readonly maxMacs?: number;
  readonly minAccuracy?: number;
  readonly mix?: number;
  readonly attackLimit?: number;
}

/** The options that only the rule `optimal` has, by their names on the command line; the first three are the objectives. */
const OBJECTIVES = { save: "--save", maxMacs: "--max-macs", minAccuracy: "--min-accuracy" } as const;
const DETAILS = { mix: "--mix", attackLimit: "--attack-limit" } as const;

export const DEFAULT_MIX = 0.5;

export function withObjectiveOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--rule <rule>",
        "equal: every exit takes an equal share of held-out images; paper: the same on the test images, and what the authors lower by hand; optimal: the best heads and thresholds for --save, --max-macs or --min-accuracy (default: equal, or optimal with one of these)",
      ).choices(POLICY_RULES),
    )
    .addOption(
      new Option(
        "--save <fraction>",
        "be as accurate as can be while so much of the plain backbone's cost is saved, all heads that run counted",
      ).argParser(number(-1, 1)),
    )
    .addOption(
      new Option("--max-macs <millions>", "the same, with a budget of multiply-accumulates an image").argParser(
        number(0),
      ),
    )
    .addOption(
      new Option("--min-accuracy <fraction>", "cost as little as can be at such an accuracy").argParser(number(0, 1)),
    )
    .addOption(
      new Option(
        "--mix <share>",
        `of attacked images among those to come, to be accurate and cheap on; needs --attack (default: ${DEFAULT_MIX})`,
      ).argParser(number(0, 1)),
    )
    .addOption(
      new Option("--attack-limit <count>", "attack at most so many of the images; all by default").argParser(
        integer(1),
      ),
    );
}

/** The rule that the options ask for. @throws UsageError if they contradict each other or the objective of `optimal` is missing */
export function ruleOf(options: ObjectiveOptions, attacked: boolean): PolicyRule {
  const given = (names: Readonly<Record<string, string>>): string[] =>
    Object.keys(names).flatMap((key) => (options[key as keyof ObjectiveOptions] === undefined ? [] : names[key]!));
  const [objectives, details] = [given(OBJECTIVES), given(DETAILS)];
  const rule = options.rule ?? (objectives.length > 0 ? "optimal" : "equal");
  if (rule !== "optimal") {
    const [extra] = [...objectives, ...details];
    if (extra !== undefined) throw new UsageError(`Expected --rule optimal for ${extra} but received --rule ${rule}`);
    return rule;
  }
  if (objectives.length !== 1) {
    throw new UsageError(
      `Expected one of ${Object.values(OBJECTIVES).join(", ")} with --rule optimal but received ${objectives.join(" and ") || "none"}`,
    );
  }
  if (!attacked && details.length > 0) throw new UsageError(`Expected --attack for ${details[0]} but received none`);
  return rule;
}

/** What the options ask of a policy of `model`. */
export function objectiveOf({ save, maxMacs, minAccuracy }: ObjectiveOptions, model: ExitModel): PolicyObjective {
  if (minAccuracy !== undefined) return { maximize: "savings", minAccuracy };
  return { maximize: "accuracy", maxMacs: maxMacs ?? (1 - save!) * costOfBackbone(model).full };
}

/** The objective for people. */
export function objectiveText({ save, maxMacs, minAccuracy }: ObjectiveOptions): string {
  if (minAccuracy !== undefined) return `least cost at an accuracy of ${minAccuracy}`;
  return maxMacs !== undefined ? `best accuracy within ${maxMacs} million MACs` : `best accuracy with ${save} saved`;
}
