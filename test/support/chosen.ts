/**
 * Why a backend is not tested although it may work: the environment variable `RDI_TEST_BACKENDS`, a list such as `cuda,wasm`, has nothing that its title
 * begins with. Without the variable all are tested.
 */
export function notChosen(title: string): string | undefined {
  const { RDI_TEST_BACKENDS: list } = process.env;
  if (list === undefined || list.split(",").some((prefix) => title.startsWith(prefix.trim()))) return undefined;
  return `not among RDI_TEST_BACKENDS=${list}`;
}
