// Register-tiled matrix products: what convolutions and linear layers spend their time in.
//
// multiply() is C = A·B with B packed: A is implicit, each of its rows a few runs of contiguous floats (a convolution
// window, or one run for a plain matrix). multiplyMatrix() is the same for dense matrices. accumulateOuter() is
// C += Aᵀ·B, for weight gradients.
#pragma once

#include "epilogue.h"
#include "share.h"
#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {

// B's columns are packed in panels of up to this many vectors: as many as leave registers for a tile of some rows.
inline constexpr int panelVectors = VL == 8 ? 2 : 4;
inline constexpr int panelColumns = panelVectors * VL;

// The rows of A and C lie on a grid: row r is pixel (r / width, r % width). A plain matrix is a grid of one row.
struct RowGrid {
  int32_t rows, width;
  ptrdiff_t aPixel, aRow;  // floats between neighbours of the grid in A
  ptrdiff_t cPixel, cRow;  // and in C
};
// What one row of A consists of.
struct Runs {
  int32_t count, length;
  ptrdiff_t step;  // floats from the start of a run to that of the next
  RDI_INLINE int32_t total() const { return count * length; }
};

RDI_INLINE size_t packedFloats(int32_t depth, int32_t columns) { return size_t(depth) * size_t(roundUp(columns, VL)); }

// Where packMatrix() puts element (k, column).
RDI_INLINE size_t packedIndex(int32_t depth, int32_t columns, int32_t k, int32_t column) {
  const int32_t first = column / panelColumns * panelColumns, left = roundUp(columns, VL) - first;
  const int32_t width = left < panelColumns ? left : panelColumns;
  return size_t(first) * depth + size_t(k) * width + (column - first);
}

// Packs B[depth][columns], given as element(k, column), into [panel][k][column of the panel], with zeros beyond the
// last column.
template <class Element>
void packMatrix(int32_t depth, int32_t columns, float* packed, Element element) {
  int32_t padded = roundUp(columns, VL);
  for (int32_t first = 0; first < padded; first += panelColumns) {
    int32_t width = padded - first < panelColumns ? padded - first : panelColumns;
    for (int32_t k = 0; k < depth; k++) {
      for (int32_t j = 0; j < width; j++) *packed++ = first + j < columns ? element(k, first + j) : 0.0f;
    }
  }
}

// C = epilogue(A·B), or a share of it: `c` is C's first element, and the epilogue's residual and mask are those of that
// element.
void multiply(const RowGrid& grid, const float* a, const Runs& runs, const float* packed, int32_t columns,
              const Epilogue& epilogue, float* c, Share share = {});

// C[rows][columns] = A[rows][depth]·B, with `columns` a multiple of VL. Leaner than multiply(), which counts where
// depth is small, as in the Winograd convolutions.
void multiplyMatrix(int32_t rows, int32_t depth, int32_t columns, const float* a, const float* packed, float* c);

// The positions that accumulateOuter() sums over: `rows` times `length` of them.
struct OuterGrid {
  int32_t rows, length;
  ptrdiff_t aStep, aRow;  // floats between neighbours of the grid in A
  ptrdiff_t bStep, bRow;  // and in B
};
// C[i][j] += Σ_positions A[position + i]·B[position + j], for i < height, j < width.
void accumulateOuter(const OuterGrid& grid, const float* a, int32_t height, const float* b, int32_t width, float* c,
                     ptrdiff_t cRow);

}  // namespace rdi::kernels::inline RDI_ISA
