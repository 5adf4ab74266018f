/** What bounds the images that a worker takes together. */
export interface TileLimits {
  /** What the activations of a tile may take. */
  readonly arenaFloats: number;
  readonly images: number;
}

/**
 * Of a processor. The arena is more than a second-level cache holds: a tile of 8 reads the weights of linear layers half as often as one of 4, which is
 * worth more. More images gain nothing: the micro-kernels' rows are full.
 */
export const CACHE_LIMITS: TileLimits = { arenaFloats: 1024 * 1024, images: 16 };

/** The most that an arena may take on any device: its size and offsets are 32-bit words, and packing may need more than one image's arena a head. */
const MOST_ARENA_FLOATS = 2 ** 29;
/** The largest tile that an engine takes. */
const MOST_IMAGES = 2 ** 16;

/** Of a device that takes a whole batch at once, as far as an eighth of its memory lasts. */
export function deviceLimits(bytes: number): TileLimits {
  return { arenaFloats: Math.min(Math.floor(bytes / 8 / 4), MOST_ARENA_FLOATS), images: MOST_IMAGES };
}

/** Images a worker takes together, given the arena that one image needs. */
export function chooseTile(arenaFloatsPerImage: number, maxBatch: number, limits: TileLimits = CACHE_LIMITS): number {
  const fitting = Math.floor(limits.arenaFloats / Math.max(1, arenaFloatsPerImage));
  return Math.max(1, Math.min(limits.images, maxBatch, fitting));
}
