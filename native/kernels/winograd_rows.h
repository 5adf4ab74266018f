// The products of a Winograd convolution a row of points at a time: the P products of a row stay in registers, and half
// of the output's transform is done there, so that M instead of P values go through memory. Every value of V is used
// for one vector of output channels at a time: this pays where a product takes a broadcast operand from memory at no
// cost, and there are registers for the products of several tiles.
#pragma once

#include "winograd.h"

namespace rdi::kernels::inline RDI_ISA {

inline constexpr bool takesRows = VL == 16;

// Packs [row of points][vector of columns][k][point of the row], for multiplyRowsOfPoints().
template <class F, class Filter>
void packRows(int32_t depth, int32_t columns, float* packed, Filter filter) {
  packFilters<F>(depth, columns, packed, filter, [&](int32_t k, int32_t column, int a, int b) {
    const size_t vector = size_t(a) * (columns / VL) + column / VL;
    return ((vector * depth + k) * F::P + b) * VL + column % VL;
  });
}

// Packs for ConvForward<F>::run().
template <class F, class Filter>
void packForward(int32_t depth, int32_t columns, float* packed, Filter filter) {
  if constexpr (takesRows) {
    packRows<F>(depth, columns, packed, filter);
  } else {
    packPoints<F>(depth, columns, packed, filter);
  }
}

// T tiles and one vector of columns of a row of points. Packed weights outgrow the second cache and stream through it:
// those from `ahead` on, of the next vector of columns, are fetched meanwhile, VL floats for each of depth.
template <class F, int T>
RDI_INLINE void multiplyRow(int32_t depth, const float* v, size_t vStep, const float* packed, const float* ahead,
                            float* half, size_t halfStep, int32_t columns) {
  constexpr int P = F::P, M = F::M;
  vf acc[T][P] = {};
  const float* point[P];
  RDI_UNROLL for (int b = 0; b < P; b++) point[b] = v + b * vStep;
  const float* const end = packed + size_t(depth) * P * VL;
  RDI_NO_UNROLL for (; packed != end; packed += P * VL, ahead += VL) {
    __builtin_prefetch(ahead, 0, 2);
    RDI_UNROLL for (int b = 0; b < P; b++) {
      const vf weight = load(packed + b * VL);
      RDI_UNROLL for (int t = 0; t < T; t++) acc[t][b] = madd(broadcastLoad(point[b] + t * depth), weight, acc[t][b]);
      point[b]++;
    }
  }
  RDI_UNROLL for (int t = 0; t < T; t++) {
    vf y[M];
    F::output(acc[t], y);
    RDI_UNROLL for (int j = 0; j < M; j++) store(half + j * halfStep + t * columns, y[j]);
  }
}

template <class F, int T>
RDI_INLINE void multiplyTiles(int32_t tiles, int32_t depth, const float* v, size_t vStep, const float* packed,
                              const float* ahead, float* half, size_t halfStep, int32_t columns) {
  for (; tiles >= T; tiles -= T, v += T * depth, half += T * columns, ahead += depth * VL) {
    multiplyRow<F, T>(depth, v, vStep, packed, ahead, half, halfStep, columns);
  }
  if constexpr (T > 1) {
    if (tiles > 0) multiplyTiles<F, T / 2>(tiles, depth, v, vStep, packed, ahead, half, halfStep, columns);
  }
}

// half[row of points][output column of a tile][tile][column] = the products of all points of a block, transformed along
// the rows of points.
template <class F>
void multiplyRowsOfPoints(int32_t tiles, int32_t depth, const Columns& columns, const float* v, size_t vStep,
                          const float* packed, float* half, size_t halfStep) {
  constexpr int P = F::P, M = F::M, T = 24 / P;
  for (int a = 0; a < P; a++) {
    const float* weights = packed + size_t(a * columns.all + columns.first) * depth * P;
    for (int32_t column = 0; column < columns.count; column += VL, weights += size_t(depth) * P * VL) {
      multiplyTiles<F, T>(tiles, depth, v + a * P * vStep, vStep, weights, weights + size_t(depth) * P * VL,
                          half + a * M * halfStep + column, halfStep, columns.count);
    }
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
