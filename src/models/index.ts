import type { ExitModel } from "../nn/exit-model.js";
import { ArgumentError } from "../util/errors.js";
import { rdiSmallcnn, smallcnn } from "./smallcnn.js";

/** Every model by its name. */
export const models: ReadonlyMap<string, ExitModel> = new Map(
  [rdiSmallcnn, smallcnn].map((model) => [model.name, model]),
);

/** @throws ArgumentError that lists the models there are. */
export function modelByName(name: string): ExitModel {
  const model = models.get(name);
  if (model === undefined)
    throw new ArgumentError(`Expected a model (${[...models.keys()].join(", ")}) but received ${JSON.stringify(name)}`);
  return model;
}
