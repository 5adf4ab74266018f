import type { OpName } from "../ops/index.js";
import type { Value } from "../graph/types.js";
import type { LayerInfo, TracedLayer } from "./model-layers.js";

/** Layers as one row of a table: a convolution with the batch norm, sum and ReLU that follow it, of as many blocks as are alike. */
export interface LayerRow {
  readonly name: string;
  /** The first of its operations. */
  readonly op: OpName;
  readonly kind: string;
  readonly exit: number;
  readonly part: LayerInfo["part"];
  readonly shape: readonly number[];
  /** How many such rows there are, one after the other or block by block. */
  readonly times: number;
  /** Of all of them. */
  readonly parameters: number;
  readonly macs: number;
}

/** What a row takes in when it works on the row's output. */
const FOLLOWERS: ReadonlySet<OpName> = new Set<OpName>(["channelAffine", "add", "relu", "reshape"]);

/** The longest block, in rows, whose repetitions are looked for. */
const LONGEST_BLOCK = 8;

/** Rows for all layers, so few that a network with hundreds of layers can be read. */
export function layerRows(layers: readonly TracedLayer[]): LayerRow[] {
  return collapseRepeats(withFollowers(layers));
}

function withFollowers(layers: readonly TracedLayer[]): LayerRow[] {
  const rows: LayerRow[] = [];
  let output: Value | undefined;
  for (const { layer, node } of layers) {
    const last = rows.at(-1);
    const follows = output !== undefined && FOLLOWERS.has(node.op) && node.in.includes(output);
    if (last !== undefined && follows && last.exit === layer.exit && last.part === layer.part) {
      const { parameters, macs } = last;
      const kind = `${last.kind} + ${layer.kind}`;
      const sums = { parameters: parameters + layer.parameters, macs: macs + layer.macs };
      rows.splice(-1, 1, { ...last, kind, shape: layer.shape, ...sums });
    } else {
      const { name, op, kind, exit, part, shape, parameters, macs } = layer;
      rows.push({ name, op, kind, exit, part, shape, times: 1, parameters, macs });
    }
    output = node.out;
  }
  return rows;
}

/** Blocks of rows that follow each other and are alike but for their names, as one block. */
function collapseRepeats(rows: readonly LayerRow[]): LayerRow[] {
  const signatures = rows.map((row) => JSON.stringify({ ...row, name: "" }));
  const collapsed: LayerRow[] = [];
  for (let at = 0; at < rows.length;) {
    const { length, times } = longestRepeat(signatures, at);
    for (let i = at; i < at + length; i++) {
      const { name, parameters, macs, ...row } = rows[i]!;
      const last = rows[i + (times - 1) * length]!.name;
      collapsed.push({
        ...row,
        name: nameRange(name, last),
        times,
        parameters: times * parameters,
        macs: times * macs,
      });
    }
    at += length * times;
  }
  return collapsed;
}

/** The block at `at` whose repetitions cover the most rows; of several the shortest. */
function longestRepeat(signatures: readonly string[], at: number): { length: number; times: number } {
  let best = { length: 1, times: 1 };
  for (let length = 1; length <= LONGEST_BLOCK; length++) {
    let end = at + length;
    while (end < signatures.length && signatures[end] === signatures[end - length]) end++;
    const times = Math.floor((end - at) / length);
    if (times > 1 && times * length > best.times * best.length) best = { length, times };
  }
  return best;
}

/** `group0_layer2.conv1`, `group0_layer4.conv1` → `group0_layer{2…4}.conv1`. */
function nameRange(first: string, last: string): string {
  if (first === last) return first;
  const parts = (name: string): string[] => name.split(/(\d+)/);
  const [a, b] = [parts(first), parts(last)];
  const differing = a.flatMap((part, i) => (part === b[i] ? [] : [i]));
  if (a.length !== b.length || differing.length !== 1) return `${first} … ${last}`;
  return a.map((part, i) => (i === differing[0] ? `{${part}…${b[i]!}}` : part)).join("");
}
