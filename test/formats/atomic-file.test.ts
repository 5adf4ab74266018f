import { chmod, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { writeFileAtomic } from "../../src/util/atomic-file.js";
import { RdiError } from "../../src/util/errors.js";

let dir: string;
let path: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "rdi-test-"));
  path = join(dir, "model");
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(dir, { recursive: true });
});

const bytes = (text: string) => new TextEncoder().encode(text);
const failure = (promise: Promise<void>) => promise.then(() => undefined, (reason: unknown) => reason); // prettier-ignore

/** The methods that every open file shares, so that a test can make one of them fail as a full disk does. */
async function fileMethods() {
  const file = await open(dir, "r");
  await file.close();
  return Object.getPrototypeOf(file) as typeof file;
}

describe("writeFileAtomic", () => {
  it("writes bytes or pieces, and replaces what was there", async () => {
    await writeFileAtomic(path, bytes("old content, which is longer"));
    await writeFileAtomic(path, [bytes("new "), new Uint8Array(), bytes("content")]);
    expect(await readFile(path, "utf8")).toBe("new content");
    expect(await readdir(dir)).toEqual(["model"]);
  });

  it.each(["writeFile", "sync"] as const)("keeps the old file when the disk is full (%s fails)", async (method) => {
    await writeFileAtomic(path, bytes("old"));
    const full = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    vi.spyOn(await fileMethods(), method).mockRejectedValueOnce(full);
    const error = await failure(writeFileAtomic(path, [bytes("new"), bytes("er")]));
    expect(error).toBeInstanceOf(RdiError);
    expect(error).toMatchObject({ cause: full });
    expect((error as RdiError).message).toBe(
      `Cannot write ${path}: the disk is full; free some space or choose another folder (ENOSPC)`,
    );
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(dir)).toEqual(["model"]);
  });

  it("keeps the old file when the pieces fail to be made, and passes that error on", async () => {
    await writeFileAtomic(path, bytes("old"));
    const reason = new Error("no more pieces");
    function* pieces() {
      yield bytes("new");
      throw reason;
    }
    expect(await failure(writeFileAtomic(path, pieces()))).toBe(reason);
    expect(await readFile(path, "utf8")).toBe("old");
    expect(await readdir(dir)).toEqual(["model"]);
  });

  it("says why a folder cannot be written to", async () => {
    await writeFile(path, "a file");
    await mkdir(join(dir, "folder"));
    const missing = await failure(writeFileAtomic(join(dir, "none", "model"), bytes("x")));
    expect((missing as RdiError).message).toContain("the folder does not exist; create it first (ENOENT)");
    const below = await failure(writeFileAtomic(join(path, "model"), bytes("x")));
    expect((below as RdiError).message).toContain("a part of the path is a file, not a folder");
    const folder = await failure(writeFileAtomic(join(dir, "folder"), bytes("x")));
    expect(folder).toBeInstanceOf(RdiError);
    expect((await readdir(dir)).toSorted()).toEqual(["folder", "model"]);
  });

  // The super-user may write everywhere, so the system does not refuse it.
  it.skipIf(process.getuid?.() === 0 || process.platform === "win32")("refuses a read-only folder", async () => {
    await chmod(dir, 0o500);
    const error = await failure(writeFileAtomic(path, bytes("x")));
    await chmod(dir, 0o700);
    expect((error as RdiError).message).toContain("the folder may not be written to");
  });
});
