import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import { BackendError } from "../../util/errors.js";
import { ABI_VERSION, type Addon } from "./addon-engine.js";

const require = createRequire(import.meta.url);
/** Where a build in this folder leaves it. */
const localBuild = new URL("../../../build/Release/rdi_net.node", import.meta.url);

/** @throws BackendError, with the reason, if there is none that fits */
export function loadAddon(): Addon {
  let addon: Addon;
  try {
    addon = require(fileURLToPath(localBuild)) as Addon;
  } catch (cause) {
    throw new BackendError(`Expected the addon at ${localBuild.pathname}: ${String(cause)}`, { cause });
  }
  if (addon.abiVersion !== ABI_VERSION) {
    throw new BackendError(
      `Expected an addon of interface version ${ABI_VERSION} but ${localBuild.pathname} has ${addon.abiVersion}`,
    );
  }
  return addon;
}
