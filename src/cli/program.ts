import { Command } from "commander";
import { addDoctor } from "./doctor.js";
import { addInfo } from "./info.js";
import { packageVersion } from "./package-version.js";

/** The command line: every command, in the order in which a newcomer meets them. */
export function program(): Command {
  const root = new Command("rdi")
    .description("Robust Dynamic Inference Networks: train, attack and run multi-exit networks.")
    .version(packageVersion())
    .exitOverride()
    .showHelpAfterError("Run rdi --help for the commands.")
    .addHelpText("after", "\nRun rdi <command> --help for its options and examples.");
  for (const add of [addInfo, addDoctor]) add(root);
  return root;
}
