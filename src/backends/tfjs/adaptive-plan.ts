import { sliceTo } from "../../graph/passes/dead-code.js";
import { simplify } from "../../graph/passes/optimize.js";
import { opDef } from "../../ops/index.js";
import { BackendError } from "../../util/errors.js";
import type {
  AdaptiveGraph,
  AdaptivePlan,
  AdaptiveResults,
  CompileOptions,
  ParamSet,
  RunOptions,
  Slot,
} from "../backend.js";
import { checkBatch } from "../binding.js";
import { TfjsProgram } from "./plan.js";
import { Values, type Call, type Ref } from "./program.js";
import type { TfjsBackend } from "./tfjs-backend.js";

const nothingPending = Promise.resolve();

/** What is computed for the images that no earlier exit was sure of. */
interface Segment {
  readonly exit: number;
  readonly calls: readonly Call[];
  readonly probabilities: Ref;
  readonly entropy: Ref;
  /** What the segments after it read of what it, and those before it, have computed. */
  readonly handedOn: ReadonlySet<Ref>;
}

/** The calls that `targets` need and that are not done yet, in their order; they are done then. */
function needed(calls: readonly Call[], targets: readonly Ref[], done: Set<Ref>): Call[] {
  const wanted = new Set(targets);
  const chosen: Call[] = [];
  for (const call of [...calls].reverse()) {
    if (!wanted.has(call.out) || done.has(call.out)) continue;
    chosen.push(call);
    for (const ref of call.in) wanted.add(ref);
  }
  for (const { out } of chosen) done.add(out);
  return chosen.reverse();
}

/** After each exit the images that it is sure of are taken out of everything that is still to be read. */
export class TfjsAdaptivePlan implements AdaptivePlan {
  readonly #backend: TfjsBackend;
  readonly #program: TfjsProgram;
  readonly #segments: readonly Segment[];

  constructor(backend: TfjsBackend, { graph, exits }: AdaptiveGraph, params: ParamSet, options: CompileOptions) {
    const names = exits.map((exit) => [`exit${exit}.probabilities`, `exit${exit}.entropy`] as const);
    const sliced = simplify(sliceTo(graph, names.flat()));
    const mixing = sliced.nodes.find(({ op }) => opDef(op).kind === "reduce");
    if (mixing !== undefined)
      throw new BackendError(
        `Expected operations that take each image alone in an adaptive plan but received ${mixing.op}`,
      );
    this.#backend = backend;
    this.#program = new TfjsProgram(backend, sliced, params, options.maxBatch);
    const { sources, outputs, varying } = this.#program.program;
    // As they are given, inputs have no rows to take images out of: all of them get their shapes in the first segment.
    const given = new Set(sources.values());
    const shaped = varying.filter((call) => call.in.some((ref) => given.has(ref))).map(({ out }) => out);
    const done = new Set<Ref>();
    const parts = names.map((pair, k) => {
      const targets = pair.map((name) => outputs.get(name)!) as [Ref, Ref];
      return { targets, calls: needed(varying, k === 0 ? [...targets, ...shaped] : targets, done) };
    });
    this.#segments = parts.map(({ targets: [probabilities, entropy], calls }, k) => ({
      exit: exits[k]!,
      calls,
      probabilities,
      entropy,
      handedOn: new Set(parts.slice(k + 1).flatMap((later) => later.calls.flatMap((call) => call.in))),
    }));
  }

  get bytes(): number {
    return this.#program.bytes;
  }

  run(
    batch: number,
    inputs: ReadonlyMap<string, Slot>,
    thresholds: readonly number[],
    results: AdaptiveResults,
    { signal }: Pick<RunOptions, "signal"> = {},
  ): void {
    signal?.throwIfAborted();
    checkBatch(batch, this.#program.maxBatch);
    const { tf } = this.#backend;
    const fixed = this.#program.fixed();
    const values = new Values(tf);
    const chosen = new Chosen(batch);
    try {
      for (const [name, ref] of this.#program.program.sources)
        if (!this.#program.isFixed(name)) values.set(ref, this.#program.read(name, batch, inputs));
      for (const [k, segment] of this.#segments.entries()) {
        const { calls, probabilities, entropy, handedOn } = segment;
        values.run(calls, chosen.left.length, fixed, new Set([...handedOn, probabilities, entropy]));
        const rows = { probabilities: values.takeData(probabilities), entropy: values.takeData(entropy) };
        const last = k === this.#segments.length - 1;
        const stay = chosen.leave(segment.exit, rows, (value) => last || value < thresholds[k]!);
        if (stay.length === 0) break;
        if (stay.length < rows.entropy.length) values.map((tensor) => tf.gather(tensor, tf.tensor1d(stay, "int32")));
      }
    } finally {
      values.dispose();
    }
    this.#backend.write(results.probabilities, chosen.probabilities);
    this.#backend.write(results.entropy, chosen.entropy);
    this.#backend.write(results.exits, chosen.exits);
  }

  sync(): Promise<void> {
    return nothingPending;
  }

  dispose(): void {
    this.#program.dispose();
    this.#backend.release(this);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** The results of the images that have left, and those that have not. */
class Chosen {
  left: number[];
  probabilities = new Float32Array(0);
  readonly entropy: Float32Array;
  readonly exits: Int32Array;

  constructor(readonly batch: number) {
    this.left = Array.from({ length: batch }, (_, n) => n);
    this.entropy = new Float32Array(batch);
    this.exits = new Int32Array(batch);
  }

  /**
   * Lets those images leave, of the ones that are left, that an exit is sure of.
   *
   * @param rows the exit's results for those that are left
   * @returns which of the rows stay
   */
  leave(
    exit: number,
    rows: { readonly probabilities: Float32Array; readonly entropy: Float32Array },
    isSure: (entropy: number) => boolean,
  ): number[] {
    const classes = rows.probabilities.length / this.left.length;
    if (this.probabilities.length === 0) this.probabilities = new Float32Array(this.batch * classes);
    const stay: number[] = [];
    this.left.forEach((n, row) => {
      if (!isSure(rows.entropy[row]!)) {
        stay.push(row);
        return;
      }
      this.probabilities.set(rows.probabilities.subarray(row * classes, (row + 1) * classes), n * classes);
      this.entropy[n] = rows.entropy[row]!;
      this.exits[n] = exit;
    });
    this.left = stay.map((row) => this.left[row]!);
    return stay;
  }
}
