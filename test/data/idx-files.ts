import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An IDX file of unsigned bytes with the given sizes and content. */
export function idx(shape: readonly number[], data: Uint8Array, magic = 0x800 | shape.length): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic);
  for (const [i, size] of shape.entries()) view.setUint32(4 + 4 * i, size);
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

/** Runs `use` on a new folder that holds `files`, by relative path, and removes it afterwards. */
export async function withFolder<T>(
  files: Readonly<Record<string, Uint8Array>>,
  use: (dir: string) => Promise<T>,
): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), "rdi-test-"));
  try {
    for (const [name, bytes] of Object.entries(files)) {
      await mkdir(join(dir, name, ".."), { recursive: true });
      await writeFile(join(dir, name), bytes);
    }
    return await use(dir);
  } finally {
    await rm(dir, { recursive: true });
  }
}
