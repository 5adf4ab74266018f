import { presets } from "../training/presets.js";
import { print, table } from "./output.js";

/** The training presets there are. */
export function listPresets(json: boolean | undefined): void {
  const list = [...presets].map(([name, preset]) => ({ name, ...preset }));
  print(json, { presets: list }, () =>
    [
      table(
        ["preset", "what it trains"],
        list.map(({ name, description = "" }) => [name, description]),
        2,
      ),
      "All its settings: rdi train --preset <name> --save-preset <file.json>. Other options of rdi train replace them.",
    ].join("\n"),
  );
}
