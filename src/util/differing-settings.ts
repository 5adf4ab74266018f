import { isDeepStrictEqual } from "node:util";

/** The settings in which two sets of them differ, each with its name and both values. */
export function differingSettings(there: object, here: object): string[] {
  const [a, b] = [there, here] as Record<string, unknown>[];
  return Object.keys({ ...a, ...b })
    .filter((key) => !isDeepStrictEqual(a![key], b![key]))
    .map((key) => `${key} ${JSON.stringify(a![key])} there and ${JSON.stringify(b![key])} here`);
}
