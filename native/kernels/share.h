// Several workers that compute one result together, each its own part of it. Like the shapes this does not depend on
// the instruction set.
#pragma once

#include <stdint.h>

#include "isa.h"

namespace rdi::kernels {

// What one of `parts` workers does: all parts together are the whole.
struct Share {
  int32_t part = 0, parts = 1;
  // Of `count` items those from begin(count) to end(count) − 1 are this worker's.
  RDI_INLINE int32_t begin(int32_t count) const { return int32_t(int64_t(count) * part / parts); }
  RDI_INLINE int32_t end(int32_t count) const { return int32_t(int64_t(count) * (part + 1) / parts); }
};

// A share of a result that has rows (pixels, tiles) and columns (output channels).
struct GridShare {
  Share rows, columns;
  bool empty = false;  // for a worker too many
};

// Rows are shared as long as each worker has enough of them that the weights it reads are used often; else columns are,
// in their units, and rows among those that have the same columns.
RDI_INLINE GridShare shareGrid(Share share, int32_t rows, int32_t columnUnits) {
  constexpr int32_t enoughRows = 12;
  if (rows >= enoughRows * share.parts) return {share, {}};
  const int32_t columnParts = share.parts < columnUnits ? share.parts : columnUnits;
  const int32_t rowParts = share.parts / columnParts;
  return {{share.part / columnParts, rowParts},
          {share.part % columnParts, columnParts},
          share.part >= columnParts * rowParts};
}

}  // namespace rdi::kernels
