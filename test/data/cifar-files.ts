import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";

const PIXELS = 3072;
export const BATCHES = [1, 2, 3, 4, 5].map((batch) => `data_batch_${batch}.bin`);

/** Records of CIFAR: the labels of each, then pixels that count on from the record's number. */
export function records(labels: readonly (readonly number[])[]): Uint8Array {
  return Uint8Array.from(
    labels.flatMap((own, n) => [...own, ...Array.from({ length: PIXELS }, (_, p) => (n + p) % 256)]),
  );
}

/** A tar archive of files in a folder, packed by gzip. */
export async function tarGz(folder: string, files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  return gzipSync(await tar(folder, files));
}

export async function tar(folder: string, files: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> {
  return packTar([
    { header: { name: `${folder}/`, type: "directory", size: 0 } },
    ...Object.entries(files).map(([name, body]) => ({
      header: { name: `${folder}/${name}`, type: "file" as const, size: body.length },
      body,
    })),
  ]);
}

/** A whole training set of CIFAR-10: five files, the k-th with k records. */
export const CIFAR10_TRAIN: Readonly<Record<string, Uint8Array>> = Object.fromEntries(
  BATCHES.map((name, i) => [name, records(Array.from({ length: i + 1 }, (_, n) => [i + n]))]),
);
