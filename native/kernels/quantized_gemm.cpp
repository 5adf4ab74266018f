// The register-tiled product of integers that all quantized layers are made of.
#include "quantized_internal.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// Rows of a register tile: as many as leave registers for two vectors of B, a pair of A and a product.
constexpr int tileRows = registers == 32 ? 8 : VL == 8 ? 6 : 4;

template <bool fused>
RDI_INLINE vi addProducts(vi sum, vs a, vs b) {
#if defined(__AVX512F__)
  if constexpr (fused) return addPairProductsFused(sum, a, b);
#endif
  return addPairProducts(sum, a, b);
}

template <int M, int N, bool fused>
void tile(const PairRows& rows, const int16_t* a, const int16_t* packed, int32_t* c, ptrdiff_t columns) {
  const ptrdiff_t step = rows.step;
  const int32_t pairs = rows.pairs;
  vi sums[M][N] = {};
  for (int32_t run = 0; run < rows.runs; run++) {
    const int16_t* from = a + run * rows.runStep;
    const int16_t* const end = from + 2 * pairs;
    RDI_UNROLL_BY_4 for (; from != end; from += 2) {
      vs b[N];
      RDI_UNROLL for (int n = 0; n < N; n++) b[n] = *reinterpret_cast<const vsUnaligned*>(packed + n * 2 * VL);
      packed += N * 2 * VL;
      RDI_UNROLL for (int m = 0; m < M; m++) {
        const vs pair = broadcastPair(from + m * step);
        RDI_UNROLL for (int n = 0; n < N; n++) sums[m][n] = addProducts<fused>(sums[m][n], b[n], pair);
      }
    }
  }
  RDI_UNROLL for (int m = 0; m < M; m++) {
    RDI_UNROLL for (int n = 0; n < N; n++) * reinterpret_cast<viUnaligned*>(c + m * columns + n * VL) = sums[m][n];
  }
}

// A panel of N vectors of columns, for all rows: tiles of M rows, then smaller ones.
template <int M, int N, bool fused>
void panel(const PairRows& rows, int32_t first, const int16_t* from, const int16_t* packed, int32_t* c,
           ptrdiff_t columns) {
  int32_t row = first;
  for (; row + M <= rows.rows; row += M)
    tile<M, N, fused>(rows, from + row * rows.step, packed, c + row * columns, columns);
  if constexpr (M > 1) {
    if (row < rows.rows) panel<M / 2, N, fused>(rows, row, from, packed, c, columns);
  }
}

template <bool fused>
void multiply(const PairRows& a, const int16_t* from, const int16_t* packed, int32_t columns, int32_t* c) {
  const size_t depth = size_t(a.runs) * a.pairs * 2;
  int32_t column = 0;
  for (; column + pairPanel <= columns; column += pairPanel, packed += depth * pairPanel) {
    panel<tileRows, 2, fused>(a, 0, from, packed, c + column, columns);
  }
  if (column < columns) panel<tileRows, 1, fused>(a, 0, from, packed, c + column, columns);
}

}  // namespace

void multiplyPairs(const PairRows& a, const int16_t* from, const int16_t* packed, int32_t columns, int32_t* c) {
#if defined(__AVX512F__)
  if (fusesPairProducts()) return multiply<true>(a, from, packed, columns, c);
#endif
  multiply<false>(a, from, packed, columns, c);
}

}  // namespace rdi::kernels::inline RDI_ISA
