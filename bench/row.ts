/** One figure of the benchmarks. */
export interface Row {
  /** What is measured: a layer, a model, an exit policy. */
  readonly name: string;
  readonly work: string;
  readonly backend: string;
  /** What it is measured against. */
  readonly peer: string;
  readonly threads: number;
  /** Images of a call. */
  readonly batch: number;
  /** How many times as fast as the peer, or with how many times less memory; the median over the rounds. */
  readonly ratio: number;
  /** Half of the rounds lie within this range of ratios around the median, in units of the median. */
  readonly spread: number;
  /** The ratio that we want at least; null where it is only for information. */
  readonly aim: number | null;
  /** The ratio that we would like; null where there is no aim. */
  readonly stretch: number | null;
  /**
   * Our rate to that of the floor, as many cores at the peak that was measured in the same rounds, if convolutions were computed directly; null where there
   * is none.
   */
  readonly floor: number | null;
  /** Our own rate, and the peer's; medians. */
  readonly rate: number;
  readonly peerRate: number;
  readonly unit: string;
  readonly note: string;
}

/** What a row says of a series of rounds: pairs of rates that were measured one after the other. */
export function compare(
  rounds: readonly { readonly rate: number; readonly peerRate: number }[],
): Pick<Row, "ratio" | "spread" | "rate" | "peerRate"> {
  const ratios = rounds.map(({ rate, peerRate }) => rate / peerRate);
  const ratio = quantile(ratios, 0.5);
  return {
    ratio,
    spread: (quantile(ratios, 0.75) - quantile(ratios, 0.25)) / ratio,
    rate: quantile(
      rounds.map(({ rate }) => rate),
      0.5,
    ),
    peerRate: quantile(
      rounds.map(({ peerRate }) => peerRate),
      0.5,
    ),
  };
}

/** The value under which a fraction `q` of the values lie, between two of them if need be. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)]!;
  return below + (at - Math.floor(at)) * (sorted[Math.ceil(at)]! - below);
}
