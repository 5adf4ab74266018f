import { ArgumentError, FormatError } from "../util/errors.js";
import { exists } from "../util/paths.js";
import { readJson, writeJson } from "../util/json-file.js";
import { differingSettings } from "../util/differing-settings.js";
import { checkSettings } from "../util/settings.js";
import { stateSchema, type MeasuredNetwork, type TableSettings, type TableState } from "./results.js";

/** The cells that are done, in a file that is written anew after each. */
export class StateFile {
  readonly #state: TableState;

  private constructor(
    readonly path: string,
    state: TableState,
  ) {
    this.#state = state;
  }

  /**
   * Goes on from the file if it is there.
   *
   * @throws FormatError if it is damaged
   * @throws ArgumentError naming the settings in which it differs from those asked for
   */
  static async open(path: string, settings: TableSettings): Promise<StateFile> {
    if (!(await exists(path))) return new StateFile(path, { format: "rdi-net-table", settings, networks: {} });
    const state = await readState(path);
    const differing = differingSettings(state.settings, settings);
    if (differing.length > 0) {
      throw new ArgumentError(
        `Expected the settings of ${path} to go on from it but received others: ${differing.join("; ")}. Choose another folder, or remove the file to begin anew`,
      );
    }
    return new StateFile(path, state);
  }

  get settings(): TableSettings {
    return this.#state.settings;
  }

  /** What is known of a network. @throws ArgumentError if its weights are not those that were measured */
  network(id: string, sha256: string): MeasuredNetwork | undefined {
    const known = this.#state.networks[id];
    if (known === undefined || known.sha256 === sha256) return known;
    throw new ArgumentError(
      `Expected the weights of ${id} that ${this.path} has figures of (SHA-256 ${known.sha256.slice(0, 12)}…) but received others (${sha256.slice(0, 12)}…). Choose another folder, or remove the file to begin anew`,
    );
  }

  async keep(id: string, network: MeasuredNetwork): Promise<void> {
    this.#state.networks[id] = network;
    await writeJson(this.path, this.#state);
  }
}

async function readState(path: string): Promise<TableState> {
  const result = checkSettings(stateSchema, await readJson(path, "the state of a table"));
  if ("problems" in result) throw new FormatError(path, result.problems);
  return result.data;
}
