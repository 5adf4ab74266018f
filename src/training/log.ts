import { appendFile, readFile } from "node:fs/promises";
import { writeTextAtomic } from "../util/atomic-file.js";
import { RdiError } from "../util/errors.js";

/** A log of one JSON object a line, each with the number of its iteration. */
export class JsonLog {
  constructor(readonly path: string) {}

  /** Starts the log anew, or keeps of an old one what lies at or before an iteration that is resumed from. */
  async begin(resumedAt?: number): Promise<void> {
    const lines = resumedAt === undefined ? [] : (await this.#lines()).filter((line) => isAtOrBefore(line, resumedAt));
    await writeTextAtomic(this.path, lines.map((line) => `${line}\n`).join(""));
  }

  async append(entry: { readonly iteration: number }): Promise<void> {
    try {
      await appendFile(this.path, `${JSON.stringify(entry)}\n`);
    } catch (error) {
      throw new RdiError(`Cannot write ${this.path}: ${(error as Error).message}`, { cause: error });
    }
  }

  async #lines(): Promise<string[]> {
    try {
      return (await readFile(this.path, "utf8")).split("\n");
    } catch (error) {
      // Somebody may have removed the log; training can go on without it.
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }
}

/** False too for the last line of a run that was killed while it wrote it. */
function isAtOrBefore(line: string, iteration: number): boolean {
  try {
    return (JSON.parse(line) as { iteration: number }).iteration <= iteration;
  } catch {
    return false;
  }
}
