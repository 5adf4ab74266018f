import type { Backend } from "../../src/backends/backend.js";
import { describeExits, meanMacs, prepareAdaptive, type Run, type Shares } from "../adaptive-runs.js";
import type { ModelName } from "../network/workload.js";
import { rdi } from "../library.js";
import { compare } from "../row.js";
import { secondsOf } from "../timing.js";
import type { Figure } from "./figure.js";
import type { Effort } from "./measure.js";

const policies: Readonly<Record<ModelName, readonly Shares[]>> = {
  "rdi-smallcnn": [
    { name: "a third at each exit", shares: [1 / 3, 1 / 3, 1 / 3] },
    { name: "all at exit 1", shares: [1] },
    { name: "all at the last exit", shares: [] },
  ],
  "rdi-resnet38": [
    { name: "a third at exits 1, 3 and 7", shares: [1 / 3, 0, 1 / 3] },
    { name: "all at exit 1", shares: [1] },
    { name: "all at the last exit", shares: [] },
  ],
};

/**
 * Adaptive inference against full inference, in turn: the peer's rate is what full inference (all exits) would reach if it took as much less time as adaptive
 * inference takes multiply-accumulates.
 */
export async function measureAdaptive(
  backend: Backend,
  model: ModelName,
  batch: number,
  { rounds, seconds }: Effort,
): Promise<Figure[]> {
  const { full, adaptive, dispose } = await prepareAdaptive(backend, model, batch, policies[model]);
  try {
    const whole = meanMacs(model, Int32Array.of(rdi.modelByName(model).exits));
    const figures: Figure[] = [];
    for (const { exits, name, ...run } of adaptive) {
      await rate(run, batch, 0);
      const pairs = [];
      for (let round = 0; round < rounds; round++) {
        const peerRate = ((await rate(full, batch, seconds)) * whole) / meanMacs(model, exits);
        pairs.push({ rate: await rate(run, batch, seconds), peerRate });
      }
      const none = { difference: null, ofOperations: null, ofBytes: null };
      figures.push({
        model,
        work: `adaptive, ${name}`,
        precision: "tf32",
        batch,
        peer: "our full inference by its MACs",
        ...compare(pairs),
        ...none,
        note: describeExits(model, exits),
      });
    }
    return figures;
  } finally {
    dispose();
  }
}

async function rate({ run, done }: Run, batch: number, atLeast: number): Promise<number> {
  const call = async (): Promise<void> => {
    run();
    await done();
  };
  return batch / (await secondsOf(call, atLeast));
}
