// The vectors that every kernel is written over. One instruction set is chosen at compile time; a wider one is another
// definition of `vf` and of the few functions that vector extensions do not give.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
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

#include "isa.h"

namespace rdi::kernels::inline RDI_ISA {

// Floats in a vector.
inline constexpr int VL = 4;

typedef float vf __attribute__((vector_size(VL * sizeof(float))));
typedef int32_t vi __attribute__((vector_size(VL * sizeof(float))));
typedef uint32_t vu __attribute__((vector_size(VL * sizeof(float))));
typedef float vfUnaligned __attribute__((vector_size(VL * sizeof(float)), aligned(sizeof(float)), may_alias));

RDI_INLINE vf load(const float* p) { return *reinterpret_cast<const vfUnaligned*>(p); }
RDI_INLINE void store(float* p, vf x) { *reinterpret_cast<vfUnaligned*>(p) = x; }
RDI_INLINE vf broadcast(float s) { return vf{s, s, s, s}; }
RDI_INLINE vf zero() { return vf{}; }

RDI_INLINE vf broadcastLoad(const float* p) {
#if defined(__wasm_simd128__)
  return reinterpret_cast<vf>(wasm_v128_load32_splat(p));
#else
  return broadcast(*p);
#endif
}

// a·b + c; fused where the instruction set can.
RDI_INLINE vf madd(vf a, vf b, vf c) { return a * b + c; }

// Comparisons of vectors give a mask of all ones or all zeros a lane.
RDI_INLINE vf select(vi mask, vf a, vf b) {
#if defined(__wasm_simd128__)
  return reinterpret_cast<vf>(
      wasm_v128_bitselect(reinterpret_cast<v128_t>(a), reinterpret_cast<v128_t>(b), reinterpret_cast<v128_t>(mask)));
#else
  return reinterpret_cast<vf>((mask & reinterpret_cast<vi>(a)) | (~mask & reinterpret_cast<vi>(b)));
#endif
}
// x where the mask is set, else 0.
RDI_INLINE vf keep(vi mask, vf x) { return reinterpret_cast<vf>(mask & reinterpret_cast<vi>(x)); }

// x < low ? low : x, and x > high ? high : x: NaN stays NaN.
RDI_INLINE vf atLeast(vf x, vf low) {
#if defined(__wasm_simd128__)
  return reinterpret_cast<vf>(wasm_f32x4_pmax(reinterpret_cast<v128_t>(x), reinterpret_cast<v128_t>(low)));
#elif defined(__SSE2__)
  return reinterpret_cast<vf>(_mm_max_ps(reinterpret_cast<__m128>(low), reinterpret_cast<__m128>(x)));
#else
  return select(x < low, low, x);
#endif
}
RDI_INLINE vf atMost(vf x, vf high) {
#if defined(__wasm_simd128__)
  return reinterpret_cast<vf>(wasm_f32x4_pmin(reinterpret_cast<v128_t>(x), reinterpret_cast<v128_t>(high)));
#elif defined(__SSE2__)
  return reinterpret_cast<vf>(_mm_min_ps(reinterpret_cast<__m128>(high), reinterpret_cast<__m128>(x)));
#else
  return select(x > high, high, x);
#endif
}
RDI_INLINE vf relu(vf x) { return atLeast(x, zero()); }

RDI_INLINE vf squareRoot(vf x) {
#if defined(__wasm_simd128__)
  return reinterpret_cast<vf>(wasm_f32x4_sqrt(reinterpret_cast<v128_t>(x)));
#elif defined(__SSE2__)
  return reinterpret_cast<vf>(_mm_sqrt_ps(reinterpret_cast<__m128>(x)));
#else
  vf y;
  for (int i = 0; i < VL; i++) y[i] = __builtin_sqrtf(x[i]);
  return y;
#endif
}

RDI_INLINE vf absolute(vf x) { return reinterpret_cast<vf>(reinterpret_cast<vi>(x) & 0x7fffffff); }
RDI_INLINE vi truncateToInt(vf x) { return __builtin_convertvector(x, vi); }
RDI_INLINE vf toFloat(vi x) { return __builtin_convertvector(x, vf); }

// rows[i][j] <-> rows[j][i].
RDI_INLINE void transpose(vf (&rows)[VL]) {
  const vf low01 = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
  const vf high01 = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
  const vf low23 = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
  const vf high23 = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
  rows[0] = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
  rows[1] = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
  rows[2] = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
  rows[3] = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

// y[column · yRow + row] = x[row · xRow + column].
inline void transposeMatrix(const float* x, size_t rows, size_t columns, size_t xRow, float* y, size_t yRow) {
  const size_t fullRows = rows / VL * VL, fullColumns = columns / VL * VL;
  for (size_t row = 0; row < fullRows; row += VL) {
    for (size_t column = 0; column < fullColumns; column += VL) {
      vf block[VL];
      RDI_UNROLL for (int i = 0; i < VL; i++) block[i] = load(x + (row + i) * xRow + column);
      transpose(block);
      RDI_UNROLL for (int i = 0; i < VL; i++) store(y + (column + i) * yRow + row, block[i]);
    }
    for (size_t column = fullColumns; column < columns; column++) {
      for (int i = 0; i < VL; i++) y[column * yRow + row + i] = x[(row + i) * xRow + column];
    }
  }
  for (size_t row = fullRows; row < rows; row++) {
    for (size_t column = 0; column < columns; column++) y[column * yRow + row] = x[row * xRow + column];
  }
}

RDI_INLINE float sumLanes(vf x) { return (x[0] + x[2]) + (x[1] + x[3]); }
RDI_INLINE float maxLanes(vf x) {
  float a = x[0] > x[1] ? x[0] : x[1];
  float b = x[2] > x[3] ? x[2] : x[3];
  return a > b ? a : b;
}

// The first `count` lanes (0 … VL − 1), the others `filler`; nothing beyond them is read or written.
RDI_INLINE vf loadPart(const float* p, size_t count, float filler = 0) {
  float lane[VL] = {filler, filler, filler, filler};
  for (size_t i = 0; i < count; i++) lane[i] = p[i];
  return load(lane);
}
RDI_INLINE void storePart(float* p, vf x, size_t count) {
  float lane[VL];
  store(lane, x);
  for (size_t i = 0; i < count; i++) p[i] = lane[i];
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
