import { execFileSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";

const COMPILER = process.env.CC ?? "cc";

export const haveCompiler = ((): boolean => {
  try {
    execFileSync(COMPILER, ["--version"], { stdio: "ignore" });
    return process.platform === "linux";
  } catch {
    return false;
  }
})();

/** Compiles an addon for Node.js that exports `abiVersion` and nothing else; without a version, nothing at all. */
export function compileAddon(path: string, abiVersion?: number): void {
  const source = `${path}.c`;
  const define = `
    void *version;
    napi_create_double(env, ${abiVersion}, &version);
    napi_set_named_property(env, exports, "abiVersion", version);`;
  // The few functions of Node-API are declared here, for their headers are not everywhere.
  writeFileSync(
    source,
    `int napi_create_double(void *env, double value, void **result);
int napi_set_named_property(void *env, void *object, const char *name, void *value);
int node_api_module_get_api_version_v1(void) { return 8; }
void *napi_register_module_v1(void *env, void *exports) {${abiVersion === undefined ? "" : define}
  return exports;
}
`,
  );
  execFileSync(COMPILER, ["-shared", "-fPIC", "-O1", "-o", path, source]);
  rmSync(source);
}
