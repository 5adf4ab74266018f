import type { Backend } from "../../src/backends/backend.js";
import type { Evaluation, ExitPolicy } from "../../src/inference/index.js";
import { rdi } from "../library.js";
import { referenceAttack, referenceRuns } from "./reference.js";
import { authorsNetwork, testImages } from "./subject.js";

/** Figures of one evaluation of the authors' network. */
export interface Evaluated {
  readonly images: number;
  /** Images that each exit classifies right. */
  readonly correct: readonly number[];
  readonly shares: readonly number[];
  readonly adaptive: Evaluation["adaptive"];
  readonly queries?: number;
  readonly exits: readonly number[];
  readonly seconds: number;
  readonly threads: number;
}

/** A policy of docs/exit-policy.md, chosen on training images: `rdi calibrate --save 0.29`. */
const chosenPolicy: ExitPolicy = { exits: [3, 4, 5, 6, 7], thresholds: [0.8315, 0.7992, 0.5866, 1.3869] };

interface Job {
  readonly data: "test" | "lossless";
  readonly images: number;
  /** None: the authors', calibrated on all the clean test images. */
  readonly policy?: ExitPolicy;
  readonly attack?: {
    readonly method: "pgd" | "apgd-ce" | "apgd-dlr" | "square";
    readonly steps: number;
    readonly form: string;
    readonly exits?: readonly number[];
  };
}

const STRENGTH_IMAGES = 128;
const STRENGTH_QUERIES = 1000;
const POLICY_IMAGES = 2048;

const { steps } = referenceAttack;
const strength = (method: NonNullable<Job["attack"]>["method"], count: number): Job => ({
  data: "test",
  images: STRENGTH_IMAGES,
  attack: { method, steps: count, form: "main" },
});

/** What can be measured, by name. */
export const jobs: ReadonlyMap<string, Job> = new Map<string, Job>([
  ...referenceRuns.map(({ id, data, images, form }): [string, Job] => [
    id,
    { data, images, ...(form !== undefined && { attack: { method: "pgd", steps, form } }) },
  ]),
  ["policy-clean", { data: "test", images: 10000, policy: chosenPolicy }],
  ["policy-average-all", policyJob(undefined)],
  ["policy-average-active", policyJob(chosenPolicy.exits)],
  [`strength-pgd-${steps}`, strength("pgd", steps)],
  [`strength-apgd-ce-${steps}`, strength("apgd-ce", steps)],
  [`strength-apgd-dlr-${steps}`, strength("apgd-dlr", steps)],
  [`strength-square-${STRENGTH_QUERIES}`, strength("square", STRENGTH_QUERIES)],
]);

function policyJob(exits: readonly number[] | undefined): Job {
  const attack = { method: "pgd" as const, steps, form: "average", ...(exits && { exits }) };
  return { data: "test", images: POLICY_IMAGES, policy: chosenPolicy, attack };
}

/** Measures one job on a backend. @param thresholds the authors' policy by our own calibration */
export async function run(name: string, backend: Backend, thresholds: readonly number[]): Promise<Evaluated> {
  const { data, images, policy = { exits: [1, 2, 3, 4, 5, 6, 7], thresholds }, attack } = jobs.get(name)!;
  using net = await authorsNetwork(backend, policy);
  const dataset = await testImages(data, images);
  const { eps, step } = referenceAttack;
  const result = await rdi.evaluate(net, dataset, {
    policy,
    ...(attack && {
      attack: rdi.attacks.attackForm(
        attack.form,
        rdi.attacks.methodByName(attack.method, { norm: "linf", eps, step, steps: attack.steps, seed: 0 }),
        attack.exits === undefined ? {} : { exits: attack.exits },
      ),
    }),
    onProgress: (done, total) => process.stderr.write(`\r${name}: ${done}/${total} `),
  });
  process.stderr.write("\n");
  const queries = result.attack?.queries?.mean;
  return {
    images,
    correct: result.exits.map(({ accuracy }) => Math.round(accuracy * images)),
    shares: result.exits.map(({ share }) => share),
    adaptive: result.adaptive,
    ...(queries !== undefined && { queries }),
    exits: policy.exits,
    seconds: result.seconds,
    threads: backend.threads,
  };
}

/** The authors' thresholds, by their rule: on all the clean test images. */
export async function authorsThresholds(backend: Backend): Promise<readonly number[]> {
  using net = await authorsNetwork(backend);
  return (await rdi.calibrate(net, await testImages("test", 10000), { rule: "paper" })).thresholds;
}
