import type { Attack } from "../attacks/index.js";
import { slice, type Dataset } from "../data/dataset.js";
import type { Macs } from "../graph/cost.js";
import { exitNumbers, type ExitModel } from "../nn/exit-model.js";
import type { Network } from "../nn/network.js";
import { expectArgument } from "../util/errors.js";
import { evaluate, selectExits, type ExitDetails, type PolicyOutcome } from "./evaluate.js";
import { optimizePolicy, type OptimizeOptions, type OptimizedPolicy, type PolicyObjective } from "./optimize-policy.js";
import { lastExitPolicy, policyMacs, type ExitPolicy } from "./policy.js";
import type { PolicySample } from "./policy-search.js";

export interface CalibrateForOptions extends OptimizeOptions {
  /** Some of the images that the network will meet are attacked like this, by someone who knows which exits are in use. None: all are clean. */
  readonly attacked?: {
    /** The attack aimed at these exits. */
    readonly attack: (exits: readonly number[]) => Attack;
    /** How many of the images are attacked, a fraction in [0, 1]; with 0 the attack is only looked at. */
    readonly share: number;
    /** At most so many images are attacked, from the first on; all by default. */
    readonly limit?: number;
  };
  /** Default 256. */
  readonly batchSize?: number;
  /** @param attack what the images go through; none for clean ones */
  readonly onProgress?: (doneImages: number, totalImages: number, attack?: Attack) => void;
  readonly signal?: AbortSignal;
}

/** A policy and what it makes of the images that it was chosen by, clean and attacked. */
export interface FrontierPoint {
  readonly policy: ExitPolicy;
  readonly clean: PolicyOutcome;
  /** Of the attack aimed at the exits of the policy that was chosen. */
  readonly attacked?: PolicyOutcome;
}

export interface CalibratedPolicy extends FrontierPoint {
  /** None is both cheaper and as accurate as another, over clean and attacked images by their shares; by cost. */
  readonly frontier: readonly FrontierPoint[];
  /** What every exit makes of the clean images, and of those attacked. */
  readonly details: { readonly clean: ExitDetails; readonly attacked?: ExitDetails };
  /** The attack aimed at the policy's exits. */
  readonly attack?: Attack;
}

/** A policy is chosen at most so often, unless its exits settle before. */
const MAX_ROUNDS = 4;

/**
 * Chooses heads and thresholds that reach an objective on held-out images, of which a share may be attacked.
 *
 * An attack is aimed at the exits in use, which are yet to be chosen. So exits are chosen in the face of an attack on all of them, attacked, chosen
 * again, and so on, until the attack on the ones chosen is there already. Each choice faces all attacks so far in equal parts (fictitious play: Brown,
 * 1951), since a head that one attack spares only looks robust. The outcomes reported are of the attack aimed at the exits that are chosen.
 *
 * @param dataset images that the network was neither trained on nor will be tested on
 * @throws ArgumentError if the objective is out of reach, naming what is not; if a share is outside [0, 1], or the dataset is empty or does not fit
 */
export async function calibrateFor(
  net: Network,
  dataset: Dataset,
  objective: PolicyObjective,
  options: CalibrateForOptions = {},
): Promise<CalibratedPolicy> {
  const { attacked, quantiles } = options;
  if (attacked !== undefined) {
    const { share } = attacked;
    expectArgument(share >= 0 && share <= 1, "share", "a fraction in [0, 1]", share);
  }
  const macsOf = costsOf(net.model);
  const choose = (samples: readonly PolicySample[]): OptimizedPolicy =>
    optimizePolicy(samples, macsOf, objective, quantiles === undefined ? {} : { quantiles });
  const clean = await judge(net, dataset, options);
  if (attacked === undefined) return describe(choose([{ details: clean, weight: 1 }]), macsOf, { clean });

  const { attack: aimedAt, share, limit } = attacked;
  const faced = new Map<string, AttackedImages>();
  const face = async (exits: readonly number[]): Promise<AttackedImages> => {
    const attack = aimedAt(exits);
    const details = await judge(net, slice(dataset, 0, limit), options, attack);
    faced.set(exits.join(), { attack, details });
    return { attack, details };
  };
  const chooseAgain = (): OptimizedPolicy =>
    choose(
      [
        { details: clean, weight: 1 - share },
        ...[...faced.values()].map(({ details }) => ({ details, weight: share / faced.size })),
      ].filter(({ weight }) => weight > 0),
    );
  if (share > 0) await face(exitNumbers(net.model));
  let chosen = chooseAgain();
  for (let round = 1; share > 0 && round < MAX_ROUNDS && !faced.has(chosen.policy.exits.join()); round++) {
    await face(chosen.policy.exits);
    chosen = chooseAgain();
  }
  const { exits } = chosen.policy;
  const { attack, details } = faced.get(exits.join()) ?? (await face(exits));
  return { ...describe(chosen, macsOf, { clean, attacked: details }), attack };
}

interface AttackedImages {
  readonly attack: Attack;
  readonly details: ExitDetails;
}

type CostsOf = (exits: readonly number[]) => readonly Macs[];

/** What every exit makes of the images. */
async function judge(
  net: Network,
  images: Dataset,
  { batchSize, onProgress, signal }: CalibrateForOptions,
  attack?: Attack,
): Promise<ExitDetails> {
  const { details } = await evaluate(net, images, {
    policy: lastExitPolicy(net.model),
    ...(attack && { attack }),
    ...(batchSize !== undefined && { batchSize }),
    ...(onProgress && { onProgress: (done: number, total: number) => onProgress(done, total, attack) }),
    ...(signal && { signal }),
  });
  return details;
}

/** The cost of leaving at each exit, by the heads that run; each counted once. */
function costsOf(model: ExitModel): CostsOf {
  const known = new Map<string, readonly Macs[]>();
  return (exits) => {
    const key = exits.join();
    const costs = known.get(key) ?? policyMacs(model, { exits, thresholds: [] });
    known.set(key, costs);
    return costs;
  };
}

function describe(
  { policy, frontier }: OptimizedPolicy,
  macsOf: CostsOf,
  details: CalibratedPolicy["details"],
): CalibratedPolicy {
  const point = (policy: ExitPolicy): FrontierPoint => {
    const of = (images: ExitDetails): PolicyOutcome => selectExits(images, macsOf(policy.exits), policy);
    return { policy, clean: of(details.clean), ...(details.attacked && { attacked: of(details.attacked) }) };
  };
  return { ...point(policy), frontier: frontier.map(({ policy }) => point(policy)), details };
}
