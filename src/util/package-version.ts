/** The version of this package: that of its package.json, which a bundle has not beside it. `scripts/set-version.js` writes both. */
const VERSION = "0.1.0";

export function packageVersion(): string {
  return VERSION;
}
