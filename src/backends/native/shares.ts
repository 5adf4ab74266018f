import type { HostArray } from "../backend.js";

/** The images of a batch go round the devices: image i is on device i mod n, whatever the batch. This is how many of `rows` device i has. */
export function shareOf(rows: number, i: number, n: number): number {
  return Math.max(0, Math.ceil((rows - i) / n));
}

/** Rows of `length` elements, as each of n devices has them: one behind the other. */
export function deal(data: HostArray, length: number, n: number): HostArray[] {
  const rows = data.length / length;
  return Array.from({ length: n }, (_, i) => {
    const share = newArray(data, length * shareOf(rows, i, n));
    for (let to = 0, from = i; from < rows; to++, from += n)
      share.set(data.subarray(from * length, (from + 1) * length), to * length);
    return share;
  });
}

/** The rows of all devices in their order again. */
export function gather(shares: readonly HostArray[], length: number): HostArray {
  const n = shares.length;
  const data = newArray(
    shares[0]!,
    shares.reduce((sum, share) => sum + share.length, 0),
  );
  for (const [i, share] of shares.entries()) {
    const rows = share.length / length;
    for (let from = 0, to = i; from < rows; from++, to += n)
      data.set(share.subarray(from * length, (from + 1) * length), to * length);
  }
  return data;
}

function newArray(like: HostArray, length: number): HostArray {
  return like instanceof Int32Array ? new Int32Array(length) : new Float32Array(length);
}
