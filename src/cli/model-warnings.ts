import { checkModel } from "../attacks/index.js";
import { readFirst, type Dataset } from "../data/dataset.js";
import type { AdaptiveNetwork } from "../inference/index.js";
import { note } from "./output.js";

/** Clean images to look at. */
const LOOKED_AT = 256;

/** What may make attacks on the network fail for reasons other than robustness; also noted on stderr. */
export async function warningsOf(net: AdaptiveNetwork, dataset: Dataset): Promise<string[]> {
  const { images, labels } = readFirst(dataset, Math.min(LOOKED_AT, dataset.length));
  const warnings = (await checkModel(net, images, labels)).map(({ message }) => message);
  for (const warning of warnings) note(`note: ${warning}`);
  return warnings;
}
