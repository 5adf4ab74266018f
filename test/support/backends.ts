import { createBackend } from "../../src/backends/registry.js";
import type { Backend } from "../../src/backends/backend.js";
import { ReferenceBackend } from "../../src/backends/reference/reference-backend.js";

/** A backend under test. Those that this machine cannot run are skipped, visibly, by the suites that use this list. */
export interface BackendUnderTest {
  readonly title: string;
  readonly open: () => Promise<Backend>;
  /** Why it cannot run here. */
  readonly unavailable?: string;
}

async function probe(title: string, open: () => Promise<Backend>): Promise<BackendUnderTest> {
  try {
    (await open()).dispose();
    return { title, open };
  } catch (error) {
    return { title, open, unavailable: (error as Error).message };
  }
}

/** The backends that run graphs at speed, each checked against `reference`. */
export const fastBackends: readonly BackendUnderTest[] = [
  await probe("wasm, 1 thread", () => createBackend({ backend: "wasm", threads: 1 })),
  await probe("wasm, 2 threads", () => createBackend({ backend: "wasm", threads: 2 })),
];

export const referenceBackend: BackendUnderTest = {
  title: "reference",
  open: () => Promise.resolve(new ReferenceBackend("float64")),
};

export const allBackends: readonly BackendUnderTest[] = [referenceBackend, ...fastBackends];

/** A title for `describe.skipIf`, with the reason where the backend cannot run. */
export function titleOf(backend: BackendUnderTest): string {
  return backend.unavailable === undefined ? backend.title : `${backend.title} (unavailable: ${backend.unavailable})`;
}
