#include "gemm.h"

#include "store_tile.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// acc[m][n] += Σ_k rows[m][k] · b[k][n].
template <int M, int N>
RDI_INLINE void multiplyTile(const float* const (&rows)[M], const Runs& runs, const float* b, vf (&acc)[M][N]) {
  const float* a[M];
  RDI_UNROLL for (int m = 0; m < M; m++) a[m] = rows[m];
  const ptrdiff_t gap = runs.step - runs.length;
  for (int32_t run = runs.count; run > 0; run--) {
    const float* const end = b + size_t(runs.length) * (N * VL);
    RDI_NO_UNROLL for (; b != end; b += N * VL) {
      vf column[N];
      RDI_UNROLL for (int n = 0; n < N; n++) column[n] = load(b + n * VL);
      RDI_UNROLL for (int m = 0; m < M; m++) {
        vf row = broadcastLoad(a[m]++);
        RDI_UNROLL for (int n = 0; n < N; n++) acc[m][n] = madd(row, column[n], acc[m][n]);
      }
    }
    RDI_UNROLL for (int m = 0; m < M; m++) a[m] += gap;
  }
}

// All rows for one panel of N vectors, of which `columns` columns exist, the first of them `column`.
template <int M, int N>
void multiplyPanel(const RowGrid& rowGrid, const float* a, const Runs& rowRuns, const float* panel, int32_t column,
                   int32_t columns, const Epilogue& tileEpilogue, float* c) {
  // Locals, which no store can change.
  const RowGrid grid = rowGrid;
  const Runs runs = rowRuns;
  const Epilogue epilogue = tileEpilogue;
  int32_t x = 0;
  ptrdiff_t aLine = 0, cLine = column;  // the grid row of the next row
  for (int32_t row = 0; row < grid.rows; row += M) {
    const float* rows[M];
    ptrdiff_t offset[M];
    RDI_UNROLL for (int m = 0; m < M; m++) {
      // Beyond the last row its values are computed again, and not stored.
      rows[m] = a + aLine + x * grid.aPixel;
      offset[m] = cLine + x * grid.cPixel;
      if (row + m + 1 < grid.rows && ++x == grid.width) {
        x = 0;
        aLine += grid.aRow;
        cLine += grid.cRow;
      }
    }
    vf acc[M][N] = {};
    multiplyTile<M, N>(rows, runs, panel, acc);
    const int32_t stored = grid.rows - row < M ? grid.rows - row : M;
    if (columns == N * VL) {
      storeTile<M, N>(acc, epilogue, offset, StoredRows{0, stored}, column, c);
    } else {
      float values[M][N * VL];
      RDI_UNROLL for (int m = 0; m < M; m++) {
        RDI_UNROLL for (int n = 0; n < N; n++) store(values[m] + n * VL, acc[m][n]);
      }
      storePartialTile<M, N>(values, epilogue, offset, stored, column, columns, c);
    }
  }
}

template <int M, int N>
RDI_INLINE void accumulateTile(const OuterGrid grid, const float* a, const float* b, float* c, ptrdiff_t cRow) {
  vf acc[M][N];
  RDI_UNROLL for (int m = 0; m < M; m++) {
    RDI_UNROLL for (int n = 0; n < N; n++) acc[m][n] = load(c + m * cRow + n * VL);
  }
  for (int32_t row = 0; row < grid.rows; row++) {
    const float* pa = a + row * grid.aRow;
    const float* pb = b + row * grid.bRow;
    const float* const end = pb + grid.length * grid.bStep;
    RDI_NO_UNROLL for (; pb != end; pb += grid.bStep) {
      vf column[N];
      RDI_UNROLL for (int n = 0; n < N; n++) column[n] = load(pb + n * VL);
      RDI_UNROLL for (int m = 0; m < M; m++) {
        vf value = broadcastLoad(pa + m);
        RDI_UNROLL for (int n = 0; n < N; n++) acc[m][n] = madd(value, column[n], acc[m][n]);
      }
      pa += grid.aStep;
    }
  }
  RDI_UNROLL for (int m = 0; m < M; m++) {
    RDI_UNROLL for (int n = 0; n < N; n++) store(c + m * cRow + n * VL, acc[m][n]);
  }
}

// Up to VL − 1 columns that do not fill a vector.
template <int M>
void accumulateColumns(const OuterGrid& grid, const float* a, const float* b, int32_t width, float* c, ptrdiff_t cRow) {
  for (int m = 0; m < M; m++) {
    for (int32_t j = 0; j < width; j++) {
      float sum = c[m * cRow + j];
      for (int32_t row = 0; row < grid.rows; row++) {
        const float* pa = a + row * grid.aRow + m;
        const float* pb = b + row * grid.bRow + j;
        for (int32_t k = 0; k < grid.length; k++) sum += pa[k * grid.aStep] * pb[k * grid.bStep];
      }
      c[m * cRow + j] = sum;
    }
  }
}

template <int M>
void accumulateRows(const OuterGrid& grid, const float* a, const float* b, int32_t width, float* c, ptrdiff_t cRow) {
  int32_t j = 0;
  for (; j + 2 * VL <= width; j += 2 * VL) accumulateTile<M, 2>(grid, a, b + j, c + j, cRow);
  for (; j + VL <= width; j += VL) accumulateTile<M, 1>(grid, a, b + j, c + j, cRow);
  if (j < width) accumulateColumns<M>(grid, a, b + j, width - j, c + j, cRow);
}

}  // namespace

void multiply(const RowGrid& grid, const float* a, const Runs& runs, const float* packed, int32_t columns,
              const Epilogue& epilogue, float* c) {
  for (int32_t first = 0; first < columns; first += panelColumns) {
    const int32_t width = columns - first < panelColumns ? columns - first : panelColumns;
    const float* panel = packed + size_t(first) * size_t(runs.total());
    switch (ceilDiv(width, VL)) {
      case 4:
        multiplyPanel<2, 4>(grid, a, runs, panel, first, width, epilogue, c);
        break;
      case 3:
        multiplyPanel<3, 3>(grid, a, runs, panel, first, width, epilogue, c);
        break;
      case 2:
        multiplyPanel<4, 2>(grid, a, runs, panel, first, width, epilogue, c);
        break;
      default:
        multiplyPanel<4, 1>(grid, a, runs, panel, first, width, epilogue, c);
        break;
    }
  }
}

void accumulateOuter(const OuterGrid& grid, const float* a, int32_t height, const float* b, int32_t width, float* c,
                     ptrdiff_t cRow) {
  int32_t i = 0;
  for (; i + 4 <= height; i += 4) accumulateRows<4>(grid, a + i, b, width, c + i * cRow, cRow);
  switch (height - i) {
    case 3:
      accumulateRows<3>(grid, a + i, b, width, c + i * cRow, cRow);
      break;
    case 2:
      accumulateRows<2>(grid, a + i, b, width, c + i * cRow, cRow);
      break;
    case 1:
      accumulateRows<1>(grid, a + i, b, width, c + i * cRow, cRow);
      break;
    default:
      break;
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
