import { Option, type Command } from "commander";
import type { WeightsSource } from "../reproduce/weights.js";
import { dataOption } from "./dataset-options.js";
import { withEngineOptions, type EngineOptions } from "./engine-options.js";
import { integer, number } from "./numbers.js";

/** How a table is filled in. What is absent is as in the paper. */
export interface ReproduceCommandOptions extends EngineOptions {
  readonly weights: readonly WeightsSource[];
  readonly train?: boolean;
  readonly preset?: string;
  readonly data?: string;
  readonly out?: string;
  readonly only?: readonly string[];
  readonly forms?: readonly string[];
  readonly limit?: number;
  readonly attackLimit?: number;
  readonly calibrate: string;
  readonly eps?: number;
  readonly step?: number;
  readonly steps?: number;
  readonly randomStart: boolean;
  readonly seed: number;
  readonly json?: boolean;
}

export function withReproduceOptions(command: Command): Command {
  command
    .addOption(
      new Option(
        "--weights <what>",
        "a weights file, NETWORK=FILE (as rdi-resnet38/max-average=FILE, for files that do not say how they were trained), or a folder of them; may be repeated",
      )
        .argParser((text: string, before: readonly WeightsSource[]) => [...before, weightsSource(text)])
        .default([], "none"),
    )
    .option("--train", "train the networks that have no weights, into --out")
    .option("--preset <name>", "how to train them, by name or from a .json file (default: the table's)")
    .addOption(dataOption())
    .option("--out <dir>", "where results, report and trained networks go (default: rdi-<table>)")
    .addOption(new Option("--only <list>", "these networks alone, as rdi-resnet38,resnet38/main").argParser(list))
    .addOption(
      new Option("--forms <list>", "these forms of attack, as main,single:2 (default: the table's)").argParser(list),
    )
    .addOption(new Option("--limit <count>", "at most so many clean test images (default: all)").argParser(integer(1)))
    .addOption(
      new Option("--attack-limit <count>", "at most so many attacked ones (default: as many as clean)").argParser(
        integer(1),
      ),
    )
    .option(
      "--calibrate <source>",
      "exit thresholds: paper (chosen on the clean test images themselves), equal (on held-out images), weights (as they say), or a file of rdi calibrate",
      "paper",
    )
    .addOption(
      new Option("--eps <ε>", "of the attacks; may be a fraction, 8/255 (default: the paper's)").argParser(number(0)),
    )
    .addOption(new Option("--step <α>", "of pgd (default: the paper's)").argParser(number(0)))
    .addOption(new Option("--steps <count>", "of pgd and wrm (default: the paper's)").argParser(integer(1)))
    .option("--no-random-start", "begin attacks at the clean images")
    .addOption(new Option("--seed <seed>", "of the random starts").argParser(integer(0)).default(0));
  return withEngineOptions(command).option("--json", "print one JSON object");
}

function weightsSource(text: string): WeightsSource {
  const [, network, path] = /^([\w-]+(?:\/[\w:-]+)?)=(.+)$/.exec(text) ?? [];
  return network === undefined ? { path: text } : { path: path!, network };
}

function list(text: string): string[] {
  return text.split(",").map((name) => name.trim());
}
