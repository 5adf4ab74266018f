// The vectors that every kernel is written over. Kernels are compiled once for each instruction set, which has a header
// of its own with the same functions: VL floats a vector, `registers` of them, and what vector extensions do not give.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"

#if defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__AVX512BW__)
#include "simd_avx512.h"
#elif defined(__AVX2__) && defined(__FMA__)
#include "simd_avx2.h"
#else
#include "simd_128.h"
#endif

// Before a loop with a constant trip count: its values live in registers only if it is unrolled completely.
#if defined(__clang__)
#define RDI_UNROLL _Pragma("clang loop unroll(full)")
#else
#define RDI_UNROLL _Pragma("GCC unroll 16")
#endif
// Before a loop with a run-time trip count that must stay rolled: see README.md on WebAssembly code generation.
#if defined(__clang__)
#define RDI_NO_UNROLL _Pragma("clang loop unroll(disable) vectorize(disable)")
#else
#define RDI_NO_UNROLL _Pragma("GCC unroll 1")
#endif
// Before such a loop where a little unrolling pays, which it does not in WebAssembly.
#if defined(__wasm__)
#define RDI_UNROLL_BY_4 RDI_NO_UNROLL
#elif defined(__clang__)
#define RDI_UNROLL_BY_4 _Pragma("clang loop unroll_count(4)")
#else
#define RDI_UNROLL_BY_4 _Pragma("GCC unroll 4")
#endif

namespace rdi::kernels::inline RDI_ISA {

RDI_INLINE vf relu(vf x) { return atLeast(x, zero()); }
RDI_INLINE vf absolute(vf x) { return reinterpret_cast<vf>(reinterpret_cast<vi>(x) & 0x7fffffff); }
RDI_INLINE vi truncateToInt(vf x) { return __builtin_convertvector(x, vi); }
RDI_INLINE vf toFloat(vi x) { return __builtin_convertvector(x, vf); }

// Transposes go by blocks of 4×4 whatever the vectors' length: what they cost is the memory.
typedef float vf4 __attribute__((vector_size(4 * sizeof(float))));
typedef float vf4Unaligned __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float)), may_alias));

// rows[i][j] <-> rows[j][i].
RDI_INLINE void transpose(vf4 (&rows)[4]) {
  const vf4 low01 = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
  const vf4 high01 = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
  const vf4 low23 = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
  const vf4 high23 = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
  rows[0] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
  rows[1] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
  rows[2] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
  rows[3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

// y[column · yRow + row] = x[row · xRow + column].
inline void transposeMatrix(const float* x, size_t rows, size_t columns, size_t xRow, float* y, size_t yRow) {
  const size_t fullRows = rows / 4 * 4, fullColumns = columns / 4 * 4;
  for (size_t row = 0; row < fullRows; row += 4) {
    for (size_t column = 0; column < fullColumns; column += 4) {
      vf4 block[4];
      RDI_UNROLL for (int i = 0; i < 4; i++) {
        block[i] = *reinterpret_cast<const vf4Unaligned*>(x + (row + i) * xRow + column);
      }
      transpose(block);
      RDI_UNROLL for (int i = 0; i < 4; i++) {
        *reinterpret_cast<vf4Unaligned*>(y + (column + i) * yRow + row) = block[i];
      }
    }
    for (size_t column = fullColumns; column < columns; column++) {
      for (int i = 0; i < 4; i++) y[column * yRow + row + i] = x[(row + i) * xRow + column];
    }
  }
  for (size_t row = fullRows; row < rows; row++) {
    for (size_t column = 0; column < columns; column++) y[column * yRow + row] = x[row * xRow + column];
  }
}

// The first min(count, VL) lanes: for loops whose last step may be partial.
RDI_INLINE vf loadLanes(const float* p, size_t count, float filler = 0) {
  return count >= VL ? load(p) : loadPart(p, count, filler);
}
RDI_INLINE void storeLanes(float* p, vf x, size_t count) {
  if (count >= VL) {
    store(p, x);
  } else {
    storePart(p, x, count);
  }
}

RDI_INLINE int32_t ceilDiv(int32_t a, int32_t b) { return (a + b - 1) / b; }
RDI_INLINE int32_t roundUp(int32_t a, int32_t multiple) { return ceilDiv(a, multiple) * multiple; }
// Scratch areas start on 64-byte lines of the buffer that holds them.
RDI_INLINE size_t alignFloats(size_t n) { return (n + 15) & ~size_t(15); }

}  // namespace rdi::kernels::inline RDI_ISA
