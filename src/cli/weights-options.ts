import type { Command } from "commander";

export interface WeightsOptions {
  readonly weights: string;
}

export function withWeightsOption(command: Command): Command {
  return command.requiredOption("--weights <file>", "the trained network, a safetensors file");
}
