import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readSafetensors } from "../formats/safetensors.js";
import { FORMAT, parseMetadata } from "../inference/adaptive-network.js";
import { models } from "../models/index.js";
import { ArgumentError, FormatError } from "../util/errors.js";
import { isFolder } from "../util/paths.js";
import { networkId, type PaperTable, type TableNetwork } from "./tables.js";

/** A network of a table, with the file of its weights where there is one. */
export interface TableRow extends TableNetwork {
  readonly weights?: string;
}

/** Weights as they are given: a file, or a folder to search; of which network, where the file does not say or is to be overruled. */
export interface WeightsSource {
  readonly path: string;
  /** A model, or model/defence. */
  readonly network?: string;
}

/** The defence of weights that do not say how they were trained. */
const UNKNOWN_DEFENCE = "unknown";

/**
 * The rows of a table with the weights found for them. Weights of a defence that the table has not, or that is not known, get a row of their own after
 * those of their model.
 *
 * @throws ArgumentError for weights of a model that the table has not, or two files for one row
 * @throws FormatError for files that are missing or no weights of this package
 */
export async function findWeights(table: PaperTable, sources: readonly WeightsSource[]): Promise<TableRow[]> {
  const rows: TableRow[] = [...table.networks];
  for (const source of sources) {
    for (const { path, network } of await networksIn(source, table)) {
      const at = rows.findIndex((row) => networkId(row) === networkId(network));
      const before = rows[at]?.weights;
      if (before !== undefined)
        throw new ArgumentError(`Expected one file for ${networkId(network)} but received ${before} and ${path}`);
      if (at >= 0) rows[at] = { ...network, weights: path };
      else
        rows.splice(rows.findLastIndex(({ model }) => model === network.model) + 1, 0, { ...network, weights: path });
    }
  }
  return rows;
}

interface FoundWeights {
  readonly path: string;
  readonly network: TableNetwork;
}

async function networksIn({ path, network }: WeightsSource, table: PaperTable): Promise<FoundWeights[]> {
  const known = new Set(table.networks.map(({ model }) => model));
  if (await isFolder(path)) {
    if (network !== undefined)
      throw new ArgumentError(`Expected a file for ${network} but received the folder ${path}`);
    const found = await Promise.all((await weightsFilesIn(path)).map((file) => describeWeights(file)));
    return found.filter((file) => file !== undefined && known.has(file.network.model)) as FoundWeights[];
  }
  const found = await describeWeights(path);
  if (found === undefined) {
    throw new FormatError(
      path,
      `Expected a weights file that names its model (metadata "format": "${FORMAT}") but received another`,
    );
  }
  const [model = found.network.model, defence = found.network.defence] = network?.split("/") ?? [];
  if (model !== found.network.model)
    throw new ArgumentError(`Expected weights of ${model} but received those of ${found.network.model} in ${path}`);
  if (!known.has(model))
    throw new ArgumentError(
      `Expected weights of ${[...known].join(" or ")}, as in ${table.name}, but received ${model} in ${path}`,
    );
  return [{ path, network: { model, defence } }];
}

async function weightsFilesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true });
  return names
    .filter((name) => name.endsWith(".safetensors"))
    .sort()
    .map((name) => join(folder, name));
}

const recordSchema = z.object({ config: z.object({ attack: z.object({ form: z.string() }).nullable() }) });

/** The network of a weights file; undefined if it is something else, such as a checkpoint. */
async function describeWeights(path: string): Promise<FoundWeights | undefined> {
  const { metadata } = await readSafetensors(path);
  if (metadata.format !== FORMAT || metadata.model === undefined) return undefined;
  const record = recordSchema.safeParse(parseMetadata(path, "training", metadata.training ?? "{}", z.unknown()));
  const defence = record.success ? defenceOf(metadata.model, record.data.config.attack) : UNKNOWN_DEFENCE;
  return { path, network: { model: metadata.model, defence } };
}

/** With a single exit, every form is `main`. */
function defenceOf(model: string, attack: { readonly form: string } | null): string {
  if (attack === null) return "standard";
  return models.get(model)?.exits === 1 ? "main" : attack.form;
}
