import { appendText, exists, readFileBytes, writeFileAtomic } from "#files";

/** A log of one JSON object a line, each with the number of its iteration. */
export class JsonLog {
  constructor(readonly path: string) {}

  /** Starts the log anew, or keeps of an old one what lies at or before an iteration that is resumed from. */
  async begin(resumedAt?: number): Promise<void> {
    const lines = resumedAt === undefined ? [] : (await this.#lines()).filter((line) => isAtOrBefore(line, resumedAt));
    await writeFileAtomic(this.path, new TextEncoder().encode(lines.map((line) => `${line}\n`).join("")));
  }

  async append(entry: { readonly iteration: number }): Promise<void> {
    await appendText(this.path, `${JSON.stringify(entry)}\n`);
  }

  async #lines(): Promise<string[]> {
    // Somebody may have removed the log; training can go on without it.
    if (!(await exists(this.path))) return [];
    return new TextDecoder().decode(await readFileBytes(this.path, "a log")).split("\n");
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
