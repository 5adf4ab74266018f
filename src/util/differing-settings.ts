/** The settings in which two sets of them differ, each with its name and both values: plain JSON, whose keys have the order of one schema. */
export function differingSettings(there: object, here: object): string[] {
  const [a, b] = [there, here] as Record<string, unknown>[];
  return Object.keys({ ...a, ...b })
    .filter((key) => JSON.stringify(a![key]) !== JSON.stringify(b![key]))
    .map((key) => `${key} ${JSON.stringify(a![key])} there and ${JSON.stringify(b![key])} here`);
}
