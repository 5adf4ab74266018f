#include "gemm.h"

#include "store_tile.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// Rows of a register tile of N vectors: its accumulators, a row of B and a broadcast value fill the registers.
// WebAssembly's compilers spill earlier, and the baseline has no fused multiply-add, whose products need registers as
// well.
template <int N>
constexpr int tileRows() {
  if constexpr (registers == 32) {
    return N == 1 ? 16 : N == 2 ? 12 : N == 3 ? 8 : 6;
  } else if constexpr (hasMasks) {
    return N == 1 ? 12 : 6;
  } else {
    return N == 1 ? 4 : N == 2 ? 4 : N == 3 ? 3 : 2;
  }
}

// Of accumulateOuter(), where all rows come from one pointer.
template <int N>
constexpr int outerRows() {
  return registers == 32 ? (N == 1 ? 16 : N == 2 ? 8 : 4) : 4;
}

// A number of vectors, as a type.
template <int N>
struct Vectors {
  static constexpr int count = N;
};

// Calls visit(Vectors<N>) for N vectors, of which there are 1 to `most`: 2 or 4.
template <int most, class Visit>
RDI_INLINE void withVectors(int32_t vectors, Visit visit) {
  switch (vectors) {
    case 4:
      if constexpr (most == 4) visit(Vectors<4>{});
      break;
    case 3:
      if constexpr (most == 4) visit(Vectors<3>{});
      break;
    case 2:
      visit(Vectors<2>{});
      break;
    default:
      visit(Vectors<1>{});
      break;
  }
}

// The rows of the next smaller tile, for those that are left over.
constexpr int smaller(int rows) { return rows > 8 ? 8 : rows > 4 ? 4 : rows - 1; }

// What accumulateOuter() takes of B at once.
constexpr int outerVectors = registers == 32 ? 4 : 2;

// Row m of a tile is at a + m · pitch. Rows share pointers by fours, since there are not enough registers for one each.
template <int M, int N>
RDI_INLINE void multiplyTile(const float* a, ptrdiff_t pitch, const Runs& runs, const float* b, vf (&acc)[M][N]) {
  constexpr int groups = (M + 3) / 4;
  const float* group[groups];
  RDI_UNROLL for (int g = 0; g < groups; g++) group[g] = a + 4 * g * pitch;
  const ptrdiff_t gap = runs.step - runs.length;
  for (int32_t run = runs.count; run > 0; run--) {
    const float* const end = b + size_t(runs.length) * (N * VL);
    RDI_UNROLL_BY_4 for (; b != end; b += N * VL) {
      vf column[N];
      RDI_UNROLL for (int n = 0; n < N; n++) column[n] = load(b + n * VL);
      RDI_UNROLL for (int m = 0; m < M; m++) {
        const vf row = broadcastLoad(group[m / 4] + m % 4 * pitch);
        RDI_UNROLL for (int n = 0; n < N; n++) acc[m][n] = madd(row, column[n], acc[m][n]);
      }
      RDI_UNROLL for (int g = 0; g < groups; g++) group[g]++;
    }
    RDI_UNROLL for (int g = 0; g < groups; g++) group[g] += gap;
  }
}

// What the rows of a panel have in common.
struct Panel {
  ptrdiff_t aPixel, cPixel;
  Runs runs;
  const float* weights;
  int32_t column, columns;  // the panel's first, and how many of them exist
  Epilogue epilogue;
};

// M rows from `a` on, stored from c + at on.
template <int M, int N>
void multiplyRows(const Panel& panel, const float* a, ptrdiff_t at, float* c) {
  vf acc[M][N] = {};
  multiplyTile<M, N>(a, panel.aPixel, panel.runs, panel.weights, acc);
  ptrdiff_t offset[M];
  RDI_UNROLL for (int m = 0; m < M; m++) offset[m] = at + m * panel.cPixel;
  if (panel.columns == N * VL) {
    storeTile<M, N>(acc, panel.epilogue, offset, StoredRows{0, M}, panel.column, c);
  } else if constexpr (hasMasks) {
    storeNarrowTile<M, N>(acc, panel.epilogue, offset, panel.column, panel.columns, c);
  } else {
    float values[M][N * VL];
    RDI_UNROLL for (int m = 0; m < M; m++) {
      RDI_UNROLL for (int n = 0; n < N; n++) store(values[m] + n * VL, acc[m][n]);
    }
    storePartialTile<M, N>(values, panel.epilogue, offset, M, panel.column, panel.columns, c);
  }
}

// `rows` neighbouring rows, M at a time and the rest in smaller tiles.
template <int M, int N>
RDI_INLINE void multiplyLine(const Panel& panel, int32_t rows, const float* a, ptrdiff_t at, float* c) {
  for (; rows >= M; rows -= M, a += M * panel.aPixel, at += M * panel.cPixel) multiplyRows<M, N>(panel, a, at, c);
  if constexpr (M > 1) {
    if (rows > 0) multiplyLine<smaller(M), N>(panel, rows, a, at, c);
  }
}

// All rows of the grid for one panel of N vectors.
template <int N>
void multiplyPanel(const RowGrid& grid, const float* a, const Panel& panel, float* c) {
  ptrdiff_t at = panel.column;
  for (int32_t row = 0; row < grid.rows; row += grid.width, a += grid.aRow, at += grid.cRow) {
    const int32_t rows = grid.rows - row < grid.width ? grid.rows - row : grid.width;
    multiplyLine<tileRows<N>(), N>(panel, rows, a, at, c);
  }
}

// M rows of A, `depth` apart, and of C, `columns` apart.
template <int M, int N>
RDI_INLINE void multiplyMatrixRows(int32_t depth, int32_t columns, const float* a, const float* b, float* c) {
  vf acc[M][N] = {};
  multiplyTile<M, N>(a, depth, Runs{1, depth, depth}, b, acc);
  RDI_UNROLL for (int m = 0; m < M; m++) {
    RDI_UNROLL for (int n = 0; n < N; n++) store(c + m * ptrdiff_t(columns) + n * VL, acc[m][n]);
  }
}

// `rows` rows, M at a time and the rest in smaller tiles, for one panel of N vectors.
template <int M, int N>
RDI_INLINE void multiplyMatrixPanel(int32_t rows, int32_t depth, int32_t columns, const float* a, const float* b,
                                    float* c) {
  for (; rows >= M; rows -= M, a += M * ptrdiff_t(depth), c += M * ptrdiff_t(columns)) {
    multiplyMatrixRows<M, N>(depth, columns, a, b, c);
  }
  if constexpr (M > 1) {
    if (rows > 0) multiplyMatrixPanel<smaller(M), N>(rows, depth, columns, a, b, c);
  }
}

// Neighbouring lines of the grid that follow each other without a gap, in A and in C, are one.
RowGrid joined(const RowGrid& grid) {
  if (grid.aRow != grid.width * grid.aPixel || grid.cRow != grid.width * grid.cPixel) return grid;
  return {grid.rows, grid.rows, grid.aPixel, 0, grid.cPixel, 0};
}

// `lanes`: of the tile's last vector.
template <int M, int N>
RDI_INLINE void accumulateTile(const OuterGrid grid, const float* a, const float* b, size_t lanes, float* c,
                               ptrdiff_t cRow) {
  const auto loadRow = [&](const float* p, vf(&row)[N]) {
    RDI_UNROLL for (int n = 0; n < N - 1; n++) row[n] = load(p + n * VL);
    row[N - 1] = loadLanes(p + (N - 1) * VL, lanes);
  };
  vf acc[M][N];
  RDI_UNROLL for (int m = 0; m < M; m++) loadRow(c + m * cRow, acc[m]);
  for (int32_t row = 0; row < grid.rows; row++) {
    const float* pa = a + row * grid.aRow;
    const float* pb = b + row * grid.bRow;
    const float* const end = pb + grid.length * grid.bStep;
    RDI_NO_UNROLL for (; pb != end; pb += grid.bStep) {
      vf column[N];
      loadRow(pb, column);
      RDI_UNROLL for (int m = 0; m < M; m++) {
        const vf value = broadcastLoad(pa + m);
        RDI_UNROLL for (int n = 0; n < N; n++) acc[m][n] = madd(value, column[n], acc[m][n]);
      }
      pa += grid.aStep;
    }
  }
  RDI_UNROLL for (int m = 0; m < M; m++) {
    RDI_UNROLL for (int n = 0; n < N - 1; n++) store(c + m * cRow + n * VL, acc[m][n]);
    storeLanes(c + m * cRow + (N - 1) * VL, acc[m][N - 1], lanes);
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

// `height` rows, M at a time and the rest in smaller tiles, for N vectors of columns.
template <int M, int N>
RDI_INLINE void accumulateRows(const OuterGrid& grid, const float* a, int32_t height, const float* b, size_t lanes,
                               float* c, ptrdiff_t cRow) {
  for (; height >= M; height -= M, a += M, c += M * cRow) {
    if (hasMasks || lanes >= VL) {
      accumulateTile<M, N>(grid, a, b, lanes, c, cRow);
    } else {
      accumulateColumns<M>(grid, a, b, int32_t(lanes), c, cRow);
    }
  }
  if constexpr (M > 1) {
    if (height > 0) accumulateRows<smaller(M), N>(grid, a, height, b, lanes, c, cRow);
  }
}

template <int N>
void accumulatePanel(const OuterGrid& grid, const float* a, int32_t height, const float* b, size_t lanes, float* c,
                     ptrdiff_t cRow) {
  accumulateRows<outerRows<N>(), N>(grid, a, height, b, lanes, c, cRow);
}

}  // namespace

void multiply(const RowGrid& rowGrid, const float* a, const Runs& runs, const float* packed, int32_t columns,
              const Epilogue& epilogueOfAll, float* c, Share share) {
  // Whole lines of the grid, and whole panels.
  const GridShare parts = shareGrid(share, rowGrid.rows, ceilDiv(columns, panelColumns));
  const int32_t lines = ceilDiv(rowGrid.rows, rowGrid.width), line = parts.rows.begin(lines);
  RowGrid shared = rowGrid;
  shared.rows = (parts.rows.end(lines) - line) * rowGrid.width;
  if (parts.empty || shared.rows == 0) return;
  a += line * rowGrid.aRow;
  c += line * rowGrid.cRow;
  const Epilogue epilogue = shifted(epilogueOfAll, size_t(line * rowGrid.cRow));
  const RowGrid grid = joined(shared);
  const int32_t panels = ceilDiv(columns, panelColumns);
  for (int32_t panel = parts.columns.begin(panels); panel < parts.columns.end(panels); panel++) {
    const int32_t first = panel * panelColumns;
    const int32_t width = columns - first < panelColumns ? columns - first : panelColumns;
    const float* weights = packed + size_t(first) * size_t(runs.total());
    const Panel rows{grid.aPixel, grid.cPixel, runs, weights, first, width, epilogue};
    withVectors<panelVectors>(ceilDiv(width, VL),
                              [&](auto vectors) { multiplyPanel<vectors.count>(grid, a, rows, c); });
  }
}

void multiplyMatrix(int32_t rows, int32_t depth, int32_t columns, const float* a, const float* packed, float* c) {
  for (int32_t first = 0; first < columns; first += panelColumns) {
    const int32_t width = columns - first < panelColumns ? columns - first : panelColumns;
    const size_t panel = size_t(width) * size_t(depth);
    // The weights of all points of a Winograd convolution follow one another, outgrow the second-level cache and stream
    // through it: the panel after this one is fetched meanwhile.
    for (size_t i = 0; i < panel; i += 16) __builtin_prefetch(packed + panel + i, 0, 2);
    withVectors<panelVectors>(ceilDiv(width, VL), [&](auto vectors) {
      multiplyMatrixPanel<tileRows<vectors.count>(), vectors.count>(rows, depth, columns, a, packed, c + first);
    });
    packed += panel;
  }
}

void accumulateOuter(const OuterGrid& grid, const float* a, int32_t height, const float* b, int32_t width, float* c,
                     ptrdiff_t cRow) {
  for (int32_t j = 0; j < width;) {
    const int32_t left = width - j;
    // Where partial vectors are slow, they are left to a panel of their own.
    const int32_t vectors = hasMasks ? ceilDiv(left, VL) : left < VL ? 1 : left / VL;
    const int32_t taken = vectors < outerVectors ? vectors : outerVectors;
    const size_t lanes = size_t(left - (taken - 1) * VL);
    withVectors<outerVectors>(
        taken, [&](auto vectors) { accumulatePanel<vectors.count>(grid, a, height, b + j, lanes, c + j, cRow); });
    j += taken * VL;
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
