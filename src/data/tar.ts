import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline, Readable } from "node:stream";
import type { ReadableStream, ReadableWritablePair } from "node:stream/web";
import { createGunzip } from "node:zlib";
import { createTarDecoder, type TarHeader } from "modern-tar";
import { FormatError } from "../util/errors.js";

/** What an archive may unpack to: far above the 184 MB of CIFAR. A damaged or hostile one of a few bytes can unpack to any size. */
const MAX_UNPACKED_BYTES = 2 ** 30;

/** Bytes read at a time. */
const CHUNK = 2 ** 18;

/**
 * Files of a tar archive, plain or gzip, by their names without folders. The archive is unpacked as a stream, to its end, so that damage anywhere in it
 * is found; nothing but the wanted files is kept.
 *
 * @param wanted names of files; those that the archive lacks are absent from the result
 * @throws FormatError if the archive cannot be read, is truncated or corrupt, or unpacks to over 1 GiB
 */
export async function readTar(path: string, wanted: readonly string[]): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  try {
    const bytes = Readable.toWeb(Readable.from(unpacked(path))) as ReadableStream<Uint8Array>;
    for await (const { header, body } of bytes.pipeThrough(createTarDecoder({ strict: true }) as TarDecoder)) {
      const name = header.name.slice(header.name.lastIndexOf("/") + 1);
      if (header.type === "file" && wanted.includes(name)) files.set(name, await contentOf(body, header.size, path));
      else await body.cancel();
    }
  } catch (error) {
    if (error instanceof FormatError) throw error;
    throw new FormatError(path, `Expected an intact tar archive but received: ${(error as Error).message}`);
  }
  return files;
}

/** The library's decoder by Node's types of streams, which can be iterated. */
type TarDecoder = ReadableWritablePair<
  { readonly header: TarHeader; readonly body: ReadableStream<Uint8Array> },
  Uint8Array
>;

async function* unpacked(path: string): AsyncGenerator<Uint8Array> {
  const gzip = await beginsAsGzip(path);
  const packed = createReadStream(path, { highWaterMark: CHUNK });
  // A failure to read arrives as a failure of the stream that is iterated.
  const bytes = gzip ? pipeline(packed, createGunzip({ chunkSize: CHUNK }), () => {}) : packed;
  let total = 0;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    total += chunk.length;
    if (total > MAX_UNPACKED_BYTES) throw oversized(path);
    yield chunk;
  }
}

async function beginsAsGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer: start } = await file.read(new Uint8Array(2), 0, 2, 0);
    return start[0] === 0x1f && start[1] === 0x8b;
  } finally {
    await file.close();
  }
}

async function contentOf(body: AsyncIterable<Uint8Array>, size: number, path: string): Promise<Uint8Array> {
  if (size > MAX_UNPACKED_BYTES) throw oversized(path);
  const content = new Uint8Array(size);
  let at = 0;
  for await (const chunk of body) {
    content.set(chunk, at);
    at += chunk.length;
  }
  return content;
}

function oversized(path: string): FormatError {
  return new FormatError(path, `Expected an archive of at most ${MAX_UNPACKED_BYTES} bytes but received a larger one`);
}
