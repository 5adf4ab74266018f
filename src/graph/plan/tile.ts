/** What the activations of a tile may take: most of a core's second-level cache, weights aside. */
const ARENA_BUDGET_FLOATS = 320 * 1024;
/** Larger tiles gain nothing: the micro-kernels' rows are full. */
const MAX_TILE = 16;

/** Images a worker takes together, given the arena that one image needs. */
export function chooseTile(arenaFloatsPerImage: number, maxBatch: number): number {
  const fitting = Math.floor(ARENA_BUDGET_FLOATS / Math.max(1, arenaFloatsPerImage));
  return Math.max(1, Math.min(MAX_TILE, maxBatch, fitting));
}
