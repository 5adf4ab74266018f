import type { ExitModel } from "../nn/exit-model.js";
import { sequential, type Layer } from "../nn/layers.js";

export interface BranchedOptions {
  /** Of the plain backbone. */
  readonly name: string;
  readonly classes: number;
  readonly inputShape: ExitModel["inputShape"];
  /** The backbone, cut where the branches leave it; the last stage ends with the logits. */
  readonly stages: readonly Layer[];
  /** The branch after each stage but the last, which ends with logits too. */
  readonly branches: readonly Layer[];
  /** See `ExitModel`. */
  readonly ignoredWeights?: readonly string[];
}

/** A network with early exits, `rdi-<name>`, and its plain backbone, in this order. */
export function branched({ name, stages, branches, ...shared }: BranchedOptions): [ExitModel, ExitModel] {
  const trunk = sequential(...stages);
  const backbone: ExitModel = {
    name,
    ...shared,
    exits: 1,
    get backbone() {
      return backbone;
    },
    params: trunk.params,
    forward: (x, scope) => [trunk.forward(x, scope)],
  };
  const withExits: ExitModel = {
    name: `rdi-${name}`,
    ...shared,
    exits: stages.length,
    backbone,
    params: new Map([...stages, ...branches].flatMap((layer) => [...layer.params])),
    forward(x, scope) {
      const logits = [];
      let value = x;
      for (const [i, stage] of stages.entries()) {
        value = stage.forward(value, scope);
        logits.push(branches[i] === undefined ? value : branches[i].forward(value, scope));
      }
      return logits;
    },
  };
  return [withExits, backbone];
}
