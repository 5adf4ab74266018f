#!/usr/bin/env node
// @ts-check
// Gives this package and those of npm/ a version: node scripts/set-version.js 1.2.3
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { URL } from "node:url";

const version = process.argv[2] ?? "nothing";
if (!/^\d+\.\d+\.\d+(-[\w.-]+)?$/.test(version)) {
  process.stderr.write(`error: Expected a version, such as 1.2.3, but received ${version}\n`);
  process.exit(2);
}

/** @param {string} file @param {(text: string) => string} edited */
function edit(file, edited) {
  const url = new URL(`../${file}`, import.meta.url);
  writeFileSync(url, edited(readFileSync(url, "utf8")));
}

/** @param {string} file @param {(json: any) => void} change */
function editJson(file, change) {
  edit(file, (text) => {
    const json = JSON.parse(text);
    change(json);
    return `${JSON.stringify(json, null, 2)}\n`;
  });
}

/** @param {{ version: string, optionalDependencies: Record<string, string> }} manifest of the root package */
function setRoot(manifest) {
  manifest.version = version;
  for (const name of Object.keys(manifest.optionalDependencies)) manifest.optionalDependencies[name] = version;
}

editJson("package.json", setRoot);
for (const platform of readdirSync(new URL("../npm/", import.meta.url))) {
  editJson(`npm/${platform}/package.json`, (manifest) => {
    manifest.version = version;
  });
}
// The lock file takes the platform packages from npm/ as long as they have the version that the root package asks for: see docs/packages.md.
editJson("package-lock.json", (lock) => {
  lock.version = version;
  for (const [folder, manifest] of Object.entries(lock.packages)) {
    if (folder === "") setRoot(manifest);
    else if (folder.startsWith("npm/")) manifest.version = version;
  }
});
edit("src/util/package-version.ts", (text) => text.replace(/(?<=const VERSION = ")[^"]*/, version));
