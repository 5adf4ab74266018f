import { measureAdaptive, type Shares } from "./adaptive-runs.js";
import { startOwn } from "./network/own.js";
import type { Own } from "./network/protocol.js";
import type { ModelName } from "./network/workload.js";
import type { Options } from "./options.js";
import { compare, type Row } from "./row.js";

const AT_EXIT_1: Shares = { name: "all at exit 1", shares: [1] };
const AT_THE_LAST: Shares = { name: "all at the last exit", shares: [] };

/** The shares of the images that are to leave at each exit, from the first on. */
const policies: readonly (readonly [model: ModelName, batch: number, policies: readonly Shares[]])[] = [
  [
    "rdi-smallcnn",
    256,
    [
      { name: "a third at each exit", shares: [1 / 3, 1 / 3, 1 / 3] },
      { name: "60, 20 and 20%", shares: [0.6, 0.2, 0.2] },
      AT_EXIT_1,
      AT_THE_LAST,
    ],
  ],
  [
    "rdi-resnet38",
    128,
    [
      // Of the authors' network with their thresholds, on the clean test images.
      { name: "as the paper's network", shares: [0.0846, 0.1088, 0.1172, 0.2253, 0.1534, 0.1635, 0.1472] },
      AT_EXIT_1,
      AT_THE_LAST,
    ],
  ],
];

/** Wall time may be this much longer than the multiply-accumulates say. */
const AIM = 1 / 1.1;
const BACKENDS: readonly Own[] = ["cpu", "wasm"];

/** How fast adaptive inference is, against what its multiply-accumulates of the full ledger promise. */
export async function benchAdaptive({ quick }: Pick<Options, "quick">): Promise<Row[]> {
  const effort = { rounds: quick ? 5 : 15, seconds: 0.2 };
  const rows: Row[] = [];
  for (const name of BACKENDS) {
    for (const threads of [1, 2]) {
      const backend = await startOwn(name, threads);
      for (const [model, batch, shares] of policies) {
        for (const { name: policy, left, rounds } of await measureAdaptive(backend, model, batch, shares, effort)) {
          rows.push({
            name: model,
            work: `adaptive, ${policy}`,
            backend: name,
            peer: "its MACs",
            threads,
            batch,
            ...compare(rounds),
            aim: AIM,
            stretch: null,
            floor: null,
            unit: "images/s",
            note: left,
          });
        }
      }
      backend.dispose();
    }
  }
  return rows;
}
