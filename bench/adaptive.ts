import { describeExits, meanMacs, prepareAdaptive } from "./adaptive-runs.js";
import { rdi } from "./library.js";
import { compare, type Row } from "./row.js";
import { fastest, settle } from "./timing.js";

const MODEL = "rdi-smallcnn";

/** The shares of the images that are to leave at exits 1, 2 and 3. */
const policies = [
  { name: "a third at each exit", shares: [1 / 3, 1 / 3, 1 / 3] },
  { name: "60, 20 and 20%", shares: [0.6, 0.2, 0.2] },
  { name: "all at exit 1", shares: [1, 0, 0] },
  { name: "all at the last exit", shares: [0, 0, 1] },
] as const;

const BATCH = 256;
/** Wall time may be this much longer than the multiply-accumulates say. */
const AIM = 1 / 1.15;

/**
 * How fast adaptive inference is, against what its multiply-accumulates of the full ledger promise: the rate of full inference, with every exit,
 * times the ratio of their costs.
 */
export async function benchAdaptive({ quick }: { readonly quick: boolean }): Promise<Row[]> {
  const whole = meanMacs(MODEL, Int32Array.of(rdi.modelByName(MODEL).exits));
  const tries = quick ? 2 : 3;
  const rows: Row[] = [];
  for (const threads of [1, 2]) {
    const backend = await rdi.createBackend({ backend: "wasm", threads });
    try {
      const { full, adaptive } = await prepareAdaptive(backend, MODEL, BATCH, policies);
      const share = new Map(adaptive.map(({ name, exits }) => [name, meanMacs(MODEL, exits) / whole]));
      const rounds: Map<string, { rate: number; peerRate: number }>[] = [];
      // The first round is for compilers to optimise what it runs.
      for (let r = -1; r < (quick ? 4 : 15); r++) {
        const round = new Map<string, { rate: number; peerRate: number }>();
        let before = BATCH / fastest(tries, full.run);
        for (const { name, run } of adaptive) {
          const rate = BATCH / fastest(tries, run);
          const after = BATCH / fastest(tries, full.run);
          round.set(name, { rate, peerRate: (before + after) / 2 / share.get(name)! });
          before = after;
        }
        if (r >= 0) rounds.push(round);
        await settle();
      }
      for (const { name, exits } of adaptive) {
        rows.push({
          name,
          work: "adaptive",
          backend: "wasm",
          peer: "its MACs",
          threads,
          batch: BATCH,
          ...compare(rounds.map((round) => round.get(name)!)),
          aim: AIM,
          unit: "images/s",
          note: describeExits(MODEL, exits),
        });
      }
    } finally {
      backend.dispose();
    }
  }
  return rows;
}
