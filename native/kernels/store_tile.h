// The end of every register tile: the epilogue, and the stores.
#pragma once

#include "epilogue.h"
#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {

// Which rows of a tile are stored: from … to − 1.
struct StoredRows {
  int32_t from, to;
  RDI_INLINE bool has(int32_t row) const { return row >= from && row < to; }
};

// Stores a tile of M rows of N vectors. Row m starts at c + offset[m], and so in the epilogue's tensors; `column` is
// the tile's first channel.
template <int M, int N>
RDI_INLINE void storeTile(vf (&acc)[M][N], const Epilogue& e, const ptrdiff_t (&offset)[M], StoredRows stored,
                          int32_t column, float* c) {
  if (e.bias) {
    RDI_UNROLL for (int n = 0; n < N; n++) {
      const vf bias = load(e.bias + column + n * VL);
      RDI_UNROLL for (int m = 0; m < M; m++) acc[m][n] += bias;
    }
  }
  if (e.residual) {
    RDI_UNROLL for (int m = 0; m < M; m++) {
      if (stored.has(m)) {
        RDI_UNROLL for (int n = 0; n < N; n++) acc[m][n] += load(e.residual + offset[m] + n * VL);
      }
    }
  }
  if (e.relu) {
    RDI_UNROLL for (int m = 0; m < M; m++) { RDI_UNROLL for (int n = 0; n < N; n++) acc[m][n] = relu(acc[m][n]); }
  }
  if (e.reluMask) {
    RDI_UNROLL for (int m = 0; m < M; m++) {
      if (stored.has(m)) {
        RDI_UNROLL for (int n = 0; n < N; n++) {
          acc[m][n] = keep(load(e.reluMask + offset[m] + n * VL) > zero(), acc[m][n]);
        }
      }
    }
  }
  if (e.reluBits) {
    RDI_UNROLL for (int m = 0; m < M; m++) {
      if (stored.has(m)) {
        RDI_UNROLL for (int n = 0; n < N; n++) acc[m][n] = keepBits(e.reluBits, offset[m] + n * VL, acc[m][n]);
      }
    }
  }
  RDI_UNROLL for (int m = 0; m < M; m++) {
    if (stored.has(m)) {
      RDI_UNROLL for (int n = 0; n < N; n++) store(c + offset[m] + n * VL, acc[m][n]);
    }
  }
}

// storeTile() of all rows of a tile whose last vector has lanes that are not stored: it has `columns` columns.
template <int M, int N>
RDI_INLINE void storeNarrowTile(vf (&acc)[M][N], const Epilogue& e, const ptrdiff_t (&offset)[M], int32_t column,
                                int32_t columns, float* c) {
  RDI_UNROLL for (int n = 0; n < N; n++) {
    const size_t lanes = size_t(columns - n * VL);
    const vf bias = e.bias ? loadLanes(e.bias + column + n * VL, lanes) : zero();
    RDI_UNROLL for (int m = 0; m < M; m++) {
      const ptrdiff_t at = offset[m] + n * VL;
      vf v = acc[m][n];
      if (e.bias) v += bias;
      if (e.residual) v += loadLanes(e.residual + at, lanes);
      if (e.relu) v = relu(v);
      if (e.reluMask) v = keep(loadLanes(e.reluMask + at, lanes) > zero(), v);
      storeLanes(c + at, v, lanes);
    }
  }
}

// storeTile() for a tile with only `columns` columns, of which the first `stored` rows are stored. The values come
// through memory, and not as the vectors themselves: a reference to those would keep them in memory all through the
// tile's inner loop.
template <int M, int N>
void storePartialTile(const float (&values)[M][N * VL], const Epilogue& e, const ptrdiff_t (&offset)[M], int32_t stored,
                      int32_t column, int32_t columns, float* c) {
  for (int32_t m = 0; m < stored; m++) {
    for (int32_t j = 0; j < columns; j++) {
      float v = values[m][j];
      if (e.bias) v += e.bias[column + j];
      if (e.residual) v += e.residual[offset[m] + j];
      if (e.relu) v = v < 0 ? 0 : v;
      if (e.reluMask) v = e.reluMask[offset[m] + j] > 0 ? v : 0;
      c[offset[m] + j] = v;
    }
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
