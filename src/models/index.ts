import type { ExitModel } from "../nn/exit-model.js";
import { ArgumentError, expectArgument } from "../util/errors.js";
import { mobileNets } from "./mobilenetv2.js";
import { resNets } from "./resnet.js";
import { smallCnns } from "./smallcnn.js";

const CLASSES = 10;

function build(classes: number): ReadonlyMap<string, ExitModel> {
  return new Map(
    [smallCnns, resNets, mobileNets].flatMap((family) => family(classes)).map((model) => [model.name, model]),
  );
}

/** Every model by its name, for 10 classes. */
export const models = build(CLASSES);

/**
 * The model of this name.
 *
 * @param classes what it tells apart, 2 or more
 * @throws ArgumentError that lists the models there are
 */
export function modelByName(name: string, classes = CLASSES): ExitModel {
  expectArgument(Number.isSafeInteger(classes) && classes >= 2, "classes", "an integer of 2 or more", classes);
  const model = (classes === CLASSES ? models : build(classes)).get(name);
  if (model === undefined)
    throw new ArgumentError(`Expected a model (${[...models.keys()].join(", ")}) but received ${JSON.stringify(name)}`);
  return model;
}
