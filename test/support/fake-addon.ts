import { writeFileSync } from "node:fs";
import { ABI_VERSION, type Addon } from "../../src/backends/native/addon-engine.js";

/** Writes a module that has the shape of the CUDA addon and engines that compute nothing: it stands for GPUs that are not here. */
export function writeFakeAddon(path: string, found: Pick<Addon, "devices" | "noDevices">): void {
  const exported = {
    abiVersion: ABI_VERSION,
    instructionSets: [
      { name: "sm_90", supported: found.devices.length > 0 },
      { name: "sm_75", supported: found.devices.length > 0 },
    ],
    ...found,
  };
  writeFileSync(
    path,
    `module.exports = ${JSON.stringify(exported)};
module.exports.Engine = class {
  constructor(threads, instructionSet, device, precision) {
    module.exports.made = { threads, instructionSet, device, precision };
    this.instructionSet = "sm_90";
  }
  liveBytes() {
    return 0;
  }
  dispose() {}
  static group() {}
};
module.exports.groupLibrary = () => {
  throw new Error("Expected NVIDIA's NCCL");
};
`,
  );
}
