/** What the activations of a tile may take. More than a second-level cache holds: a tile of 8 reads the weights of linear layers half as often as one of 4, which is worth more. */
const ARENA_BUDGET_FLOATS = 640 * 1024;
/** Larger tiles gain nothing: the micro-kernels' rows are full. */
const MAX_TILE = 16;

/** Images a worker takes together, given the arena that one image needs. */
export function chooseTile(arenaFloatsPerImage: number, maxBatch: number): number {
  const fitting = Math.floor(ARENA_BUDGET_FLOATS / Math.max(1, arenaFloatsPerImage));
  return Math.max(1, Math.min(MAX_TILE, maxBatch, fitting));
}
