import { Command } from "commander";
import { addAttack } from "./attack.js";
import { addBench } from "./bench.js";
import { addCalibrate } from "./calibrate.js";
import { addClassify } from "./classify.js";
import { addDoctor } from "./doctor.js";
import { addEvaluate } from "./evaluate.js";
import { addImport } from "./import.js";
import { addExport } from "./export.js";
import { addInfo } from "./info.js";
import { packageVersion } from "../util/package-version.js";
import { addQuantize } from "./quantize.js";
import { addQuickstart } from "./quickstart.js";
import { addReproduce } from "./reproduce.js";
import { addTrain } from "./train.js";

/** The command line: every command, in the order in which a newcomer meets them. */
export function program(): Command {
  const root = new Command("rdi")
    .description("Robust Dynamic Inference Networks: train, attack and run multi-exit networks.")
    .version(packageVersion())
    .exitOverride()
    .showHelpAfterError("Run rdi --help for the commands.")
    .addHelpText("after", "\nRun rdi <command> --help for its options and examples.\nStart with: rdi quickstart");
  for (const add of [
    addQuickstart,
    addTrain,
    addEvaluate,
    addAttack,
    addCalibrate,
    addClassify,
    addReproduce,
    addImport,
    addExport,
    addQuantize,
    addInfo,
    addBench,
    addDoctor,
  ])
    add(root);
  return root;
}
