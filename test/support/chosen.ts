/**
 * Why a backend is not tested although it may work: the environment variable `RDI_TEST_BACKENDS`, a list such as `cuda,wasm`, has nothing that its title
 * begins with, or has that after a `!`. Without the variable all are tested.
 */
export function notChosen(title: string): string | undefined {
  const { RDI_TEST_BACKENDS: list } = process.env;
  if (list === undefined) return undefined;
  const entries = list.split(",").map((entry) => entry.trim());
  const begins = (prefix: string): boolean => title.startsWith(prefix);
  const excluded = entries.some((entry) => entry.startsWith("!") && begins(entry.slice(1)));
  return entries.some(begins) && !excluded ? undefined : `not among RDI_TEST_BACKENDS=${list}`;
}
