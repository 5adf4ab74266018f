import { ArgumentError } from "../util/errors.js";
import { readJson, writeJson } from "../util/json-file.js";
import { parsePreset, type Preset } from "./preset.js";
import { presets } from "./presets.js";

/** As seen from a project that has this package installed: editors then complete and check the file. */
const SCHEMA = "./node_modules/rdi-net/schema/preset.schema.json";

/**
 * A preset by its name, or from a JSON file: what ends in `.json` is a file.
 *
 * @throws ArgumentError for an unknown name, and for unknown or misfit settings in a file
 * @throws FormatError if the file is missing or is no JSON
 */
export async function openPreset(nameOrFile: string): Promise<Preset> {
  if (nameOrFile.endsWith(".json")) return parsePreset(await readJson(nameOrFile, "a preset"), nameOrFile);
  const preset = presets.get(nameOrFile);
  if (preset === undefined) {
    throw new ArgumentError(
      `Expected a preset (${[...presets.keys()].join(", ")}) or a .json file but received ${JSON.stringify(nameOrFile)}`,
    );
  }
  return preset;
}

/** Writes a preset as JSON, atomically. @throws RdiError if it cannot be written */
export async function writePreset(path: string, preset: Preset): Promise<void> {
  // How many threads results repeat under is a matter of the machine; JSON leaves out what is undefined.
  const file = { $schema: SCHEMA, ...preset, config: { ...preset.config, threads: undefined } };
  await writeJson(path, file);
}
