import { Option, type Command } from "commander";
import type { Backend, BackendName } from "../backends/backend.js";
import { createBackend } from "../backends/registry.js";
import { defined } from "./defined.js";
import { integer } from "./numbers.js";
import { asUsage } from "./usage-error.js";

/** Where to compute. */
export interface EngineOptions {
  readonly backend?: string;
  readonly threads?: number;
  readonly device?: readonly number[];
}

const MAX_THREADS = 256;

export function withEngineOptions(command: Command): Command {
  return command
    .option("--backend <name>", "where to compute: cuda, cpu, wasm or reference; the fastest that works by default")
    .addOption(
      new Option("--threads <count>", "threads that share the work; all cores by default").argParser(
        integer(1, MAX_THREADS),
      ),
    )
    .addOption(
      new Option(
        "--device <numbers>",
        "the GPU of backend cuda, or several, such as 0,1; 0 by default, rdi doctor lists them",
      ).argParser((text) => text.split(",").map(integer(0))),
    );
}

/** Starts the backend that the options ask for; the caller disposes of it. */
export function openBackend({ backend, threads, device }: EngineOptions): Promise<Backend> {
  // An unknown name is the registry's to refuse.
  return asUsage(() =>
    createBackend(defined({ backend: backend as BackendName | undefined, threads, devices: device })),
  );
}
