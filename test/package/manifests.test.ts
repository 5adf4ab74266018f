import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import * as esbuild from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { describe, expect, it } from "vitest";
import { ADDONS, addonPackage, type AddonName } from "../../src/backends/native/addon-package.js";
import * as browser from "../../src/browser.js";
import * as index from "../../src/index.js";
import { packageVersion } from "../../src/util/package-version.js";
import { platformName } from "../../src/util/platform-name.js";
import { describePackages } from "./installation.js";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly engines: object;
  readonly gypfile?: boolean;
  readonly scripts?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
}

const manifest = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
const root = manifest(".");

/** The packages with an addon: its name, and the platform. */
const PACKAGES = (Object.keys(ADDONS) as AddonName[]).flatMap((addon) =>
  ADDONS[addon].platforms.map((platform) => ({ addon, platform, name: addonPackage(addon, platform) })),
);
/** A package's folder. */
const folderOf = (name: string): string => join("npm", name.replace("@rdi-net/", ""));
/** Those that the root package brings along: that of CUDA is large, and of use to few. */
const OPTIONAL = PACKAGES.filter(({ addon }) => addon === "cpu").map(({ name }) => name);

describe("the packages fit together", () => {
  it("there is one for each platform that the loader knows, and the root package wants each but CUDA's in its own version", () => {
    expect(readdirSync("npm").map((folder) => `npm/${folder}`)).toEqual(
      PACKAGES.map(({ name }) => folderOf(name)).sort(),
    );
    expect(root.optionalDependencies).toEqual(Object.fromEntries(OPTIONAL.map((name) => [name, root.version])));
    expect(packageVersion()).toBe(root.version);
  });

  it.each(PACKAGES)(
    "$name is for $platform, and holds an addon and nothing that runs at installation",
    ({ addon, platform, name }) => {
      const [os, cpu, libc = "glibc"] = platform.split("-");
      const { version, license, engines } = root;
      const { file } = ADDONS[addon];
      const { name: itsName, ...rest } = manifest(folderOf(name));
      expect(itsName).toBe(name);
      expect(rest).toMatchObject({ version, license, engines, os: [os], cpu: [cpu], main: file });
      expect(rest).toMatchObject({ files: [file, "README.md", "LICENSE"] });
      expect("libc" in rest ? rest.libc : undefined).toEqual(os === "linux" ? [libc] : undefined);
      for (const none of ["scripts", "dependencies"]) expect(rest).not.toHaveProperty(none);
    },
  );

  it("the root package runs nothing at installation", () => {
    expect(root.gypfile).toBe(false);
    for (const name of ["preinstall", "install", "postinstall", "prepare"])
      expect(root.scripts).not.toHaveProperty(name);
  });

  it("npm ci asks no registry for the platform packages, for the lock file takes them from npm/", () => {
    const { packages } = JSON.parse(readFileSync("package-lock.json", "utf8")) as {
      packages: Record<string, { version?: string; resolved?: string; link?: boolean; optional?: boolean }>;
    };
    for (const name of OPTIONAL) {
      expect(packages[`node_modules/${name}`]).toEqual({ resolved: folderOf(name), link: true });
      expect(packages[folderOf(name)]).toMatchObject({ version: root.version, optional: true });
    }
  });
});

describe("the entry for browsers", () => {
  it("has the names of the package's own, and what only browsers need", () => {
    expect(Object.keys(browser).sort()).toEqual([...Object.keys(index), "imagesFrom"].sort());
  });

  it("imports nothing of Node.js", async () => {
    const options = { bundle: true, write: false, platform: "browser", format: "esm", logLevel: "silent" } as const;
    const { errors } = await esbuild.build({ ...options, entryPoints: ["src/browser.ts"] });
    expect(errors).toEqual([]);
  });

  it("computes, and refuses what it has not by name", async () => {
    using backend = await browser.createBackend({ backend: "reference" });
    expect(backend.name).toBe("reference");
    await expect(browser.createBackend({ backend: "cpu" })).rejects.toThrow('received "cpu", which needs Node.js');
    expect(() => browser.mnist({ dir: "folder", split: "test" })).toThrow("Expected Node.js for mnist");
  });
});

interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string; readonly size: number }[];
}

/** What `npm pack` says of the root package. */
function npmPack(...flags: readonly string[]): Packed {
  const output = execFileSync("npm", ["pack", "--json", "--loglevel=error", ...flags], { encoding: "utf8" });
  return (JSON.parse(output) as Packed[])[0]!;
}

/** The unpacked size of the package that scripts/pack makes in a folder of npm/. */
async function packedSize(folder: string): Promise<number> {
  const out = await mkdtemp(join(tmpdir(), "rdi-pack-"));
  try {
    execFileSync("scripts/pack", ["--out", out], { stdio: "ignore" });
    const tarball = join(out, `rdi-net-${folder}-${root.version}.tgz`);
    expect(existsSync(tarball)).toBe(true);
    return npmPack("--dry-run", tarball).unpackedSize;
  } finally {
    await rm(out, { recursive: true });
  }
}

describePackages("the packed root package", async () => {
  const packed = npmPack("--dry-run");

  it("is at most 2 MB unpacked, weights aside", () => {
    const weights = packed.files.filter(({ path }) => path.endsWith(".safetensors")).map(({ size }) => size);
    expect(packed.unpackedSize - weights.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(2e6);
  });

  it("holds the build, and the sources to build an addon from", () => {
    const paths = packed.files.map(({ path }) => path);
    const needed = [
      "dist/index.js",
      "dist/index.cjs",
      "dist/index.d.cts",
      "dist/browser.js",
      "dist/tfjs.js",
      "dist/cli/main.js",
    ];
    const wasm = ["dist/wasm/rdi-simd.wasm", "dist/wasm/rdi-relaxed-simd.wasm", "dist/backends/native/wasm-worker.mjs"];
    const sources = ["binding.gyp", "native/core/rdi.h", "LICENSE", "README.md", "CHANGELOG.md"];
    expect(paths).toEqual(expect.arrayContaining([...needed, ...wasm, ...sources]));
    expect(paths.filter((path) => /^(src|test|npm|build|bench|native\/cuda)\/|\.node$|\.stamp$/.test(path))).toEqual(
      [],
    );
  });

  it("has neither wrong types nor, by publint, any other fault", async () => {
    const folder = await mkdtemp(join(tmpdir(), "rdi-pack-"));
    try {
      const { filename } = npmPack("--pack-destination", folder);
      const tarball = new Uint8Array(await readFile(join(folder, filename)));
      const analysis = await checkPackage(createPackageFromTarballData(tarball));
      expect(analysis.types).toMatchObject({ kind: "included" });
      const problems = "problems" in analysis ? analysis.problems : [];
      // What is inlined into programs for browsers and edge runtimes, and what is beside TensorFlow.js, needs neither CommonJS nor resolvers that know no "exports".
      const lean = ["./inline", "./tfjs"];
      expect(problems.filter((problem) => !("entrypoint" in problem && lean.includes(problem.entrypoint)))).toEqual([]);
      const { messages, pkg } = await publint({ strict: true, pack: { tarball: tarball.buffer } });
      expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  const cuda = "build/Release/rdi_net_cuda.node";
  const cudaMissing = existsSync(cuda) ? "" : ` (${cuda} missing: scripts/build-cuda builds it where nvcc is)`;
  it.skipIf(cudaMissing !== "")(`the addon for CUDA is at most 25 MB once stripped${cudaMissing}`, async () => {
    expect(await packedSize("linux-x64-cuda")).toBeLessThanOrEqual(25e6);
  });

  it("the addon of this machine is at most 3 MB once stripped, which with it is its package", async () => {
    expect(await packedSize(platformName())).toBeLessThanOrEqual(3e6);
  });
});
