import { CommanderError } from "commander";
import pc from "picocolors";
import { RdiError } from "../util/errors.js";
import { program } from "./program.js";
import { Interrupted, UsageError } from "./usage-error.js";

const FAILED = 1;
const WRONG_USAGE = 2;
const INTERRUPTED = 130;

/** Runs a command line (without `node` and the script), reports any failure on stderr, and returns the exit status. */
export async function run(args: readonly string[]): Promise<number> {
  try {
    await program().parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    return report(error, args[0]);
  }
}

function report(error: unknown, command: string | undefined): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USAGE; // Commander has said why.
  if (error instanceof Interrupted) {
    say(error.message);
    return INTERRUPTED;
  }
  if (error instanceof UsageError) {
    say(`${pc.red("error:")} ${error.message}`);
    say(`Run ${["rdi", command, "--help"].filter(Boolean).join(" ")} for the options and examples.`);
    return WRONG_USAGE;
  }
  if (error instanceof RdiError) {
    say(`${pc.red("error:")} ${error.message}`);
    return FAILED;
  }
  say(`${pc.red("defect:")} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  say(
    "This is a defect of rdi-net, not of your input. Please report it with the lines above and the command that you ran.",
  );
  return FAILED;
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
