import type { Command } from "commander";

/** A new command of `program`, with examples in its help and a hint at the help after wrong usage. */
export function addCommand(program: Command, name: string, description: string, examples: readonly string[]): Command {
  return program
    .command(name)
    .description(description)
    .showHelpAfterError(`Run rdi ${name} --help for the options and examples.`)
    .addHelpText("after", `\nExamples:\n${examples.map((example) => `  ${example}`).join("\n")}`);
}
