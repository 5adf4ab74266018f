import { FormatError, RdiError } from "../util/errors.js";

export interface FetchModelOptions {
  /** What the bytes must hash to: SHA-256, 64 hexadecimal digits. Only then are they kept for the next time, and taken from there. */
  readonly sha256?: string;
  /** How many there must be. */
  readonly bytes?: number;
  /** Ends the download; its reason is thrown. */
  readonly signal?: AbortSignal;
  /** Told of the bytes so far, and of all of them where that is known. */
  readonly onProgress?: (received: number, total: number | undefined) => void;
  /** The name of the browser's cache; "rdi-net" by default. */
  readonly cache?: string;
}

/**
 * Fetches a file such as a model's weights, for `load`. Where it is named by its hash and there is a Cache API, a second call finds it there, also offline.
 *
 * @throws RdiError if it cannot be fetched: offline, refused, an HTTP status that is no success
 * @throws FormatError if it has not the size or the hash that it must have; nothing of it is kept
 */
export async function fetchModel(url: string | URL, options: FetchModelOptions = {}): Promise<Uint8Array> {
  const { sha256, bytes, signal, onProgress } = options;
  const name = String(url);
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256))
    throw new RdiError(`Expected 64 hexadecimal digits for sha256 but received ${JSON.stringify(sha256)}`);
  const cache = sha256 === undefined ? undefined : await openCache(options.cache ?? "rdi-net");
  const kept = await cache?.match(name);
  if (kept !== undefined) {
    const data = new Uint8Array(await kept.arrayBuffer());
    // Another version under the same address is fetched anew.
    if ((await hashOf(data)) === sha256!.toLowerCase()) {
      onProgress?.(data.length, data.length);
      return data;
    }
    await cache!.delete(name);
  }
  const data = await download(name, signal, onProgress);
  if (bytes !== undefined && data.length !== bytes)
    throw new FormatError(name, `Expected ${bytes} bytes but received ${data.length}`);
  if (sha256 !== undefined) {
    const hash = await hashOf(data);
    if (hash !== sha256.toLowerCase())
      throw new FormatError(name, `Expected bytes with the SHA-256 ${sha256} but received some with ${hash}`);
    await cache?.put(name, new Response(data));
  }
  return data;
}

/** None outside secure contexts, and where there is no such thing. */
async function openCache(name: string): Promise<Cache | undefined> {
  return typeof caches === "undefined" ? undefined : caches.open(name);
}

async function hashOf(data: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function download(
  url: string,
  signal: AbortSignal | undefined,
  onProgress: FetchModelOptions["onProgress"],
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const response = await fetch(url, { signal: signal ?? null });
    if (!response.ok) throw new Error(`HTTP status ${response.status} ${response.statusText}`.trim());
    const total = lengthOf(response);
    const chunks: Uint8Array[] = [];
    let received = 0;
    for (const reader = response.body!.getReader(); ;) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      received += value.length;
      onProgress?.(received, total);
    }
    const data = new Uint8Array(received);
    chunks.reduce((at, chunk) => (data.set(chunk, at), at + chunk.length), 0);
    return data;
  } catch (cause) {
    signal?.throwIfAborted();
    throw new RdiError(`Expected the file at ${url} but received: ${(cause as Error).message}`, { cause });
  }
}

/** Of the body as it is read; a compressed one announces another length. */
function lengthOf({ headers }: Response): number | undefined {
  const length = headers.get("content-length");
  return length === null || headers.has("content-encoding") ? undefined : Number(length);
}
