// What the instruction sets with vectors of 4 floats share: WebAssembly's simd128, plain and relaxed, NEON, and the
// baseline of x86-64 (SSE2) and of all others.
#pragma once

#include <stddef.h>

#if defined(__wasm_simd128__)
#include <wasm_simd128.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "isa.h"

namespace rdi::kernels::inline RDI_ISA {

inline constexpr int VL = 4;
#if defined(__ARM_NEON)
inline constexpr int registers = 32;
#else
inline constexpr int registers = 16;
#endif
// Whether partial vectors are loaded and stored in one instruction.
inline constexpr bool hasMasks = false;

}  // namespace rdi::kernels::inline RDI_ISA

#include "vector_types.h"

namespace rdi::kernels::inline RDI_ISA {

RDI_INLINE vf broadcast(float s) { return vf{s, s, s, s}; }

RDI_INLINE vf broadcastLoad(const float* p) {
#if defined(__wasm_simd128__)
  return reinterpret_cast<vf>(wasm_v128_load32_splat(p));
#else
  return broadcast(*p);
#endif
}

// a·b + c; fused where the instruction set can.
RDI_INLINE vf madd(vf a, vf b, vf c) {
#if defined(__ARM_NEON)
  return reinterpret_cast<vf>(vfmaq_f32(float32x4_t(c), float32x4_t(a), float32x4_t(b)));
#elif defined(__wasm_relaxed_simd__)
  return reinterpret_cast<vf>(
      wasm_f32x4_relaxed_madd(reinterpret_cast<v128_t>(a), reinterpret_cast<v128_t>(b), reinterpret_cast<v128_t>(c)));
#else
  return a * b + c;
#endif
}

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

// x where the bits from `at` on, a multiple of VL, are set, else 0; and the VL bits that say where x is positive.
RDI_INLINE vf keepBits(const uint8_t* bits, ptrdiff_t at, vf x) {
  const vi lane = {1, 2, 4, 8};
  const int32_t nibble = bits[at / 8] >> (at & 4);
  return keep((vi{nibble, nibble, nibble, nibble} & lane) != 0, x);
}
RDI_INLINE uint32_t positiveLanes(vf x) {
  const vi positive = x > zero();
#if defined(__wasm_simd128__)
  return wasm_i32x4_bitmask(reinterpret_cast<v128_t>(positive));
#elif defined(__SSE2__)
  return uint32_t(_mm_movemask_ps(reinterpret_cast<__m128>(positive)));
#else
  return uint32_t(positive[0] & 1) | (positive[1] & 2) | (positive[2] & 4) | (positive[3] & 8);
#endif
}

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

// The lanes of a, then those of b, in 16 bits, in which they must fit.
RDI_INLINE vs narrow(vi a, vi b) {
#if defined(__wasm_simd128__)
  return reinterpret_cast<vs>(wasm_i16x8_narrow_i32x4(reinterpret_cast<v128_t>(a), reinterpret_cast<v128_t>(b)));
#elif defined(__SSE2__)
  return reinterpret_cast<vs>(_mm_packs_epi32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
#else
  typedef int16_t Half __attribute__((vector_size(VL * sizeof(int16_t))));
  const Half low = __builtin_convertvector(a, Half), high = __builtin_convertvector(b, Half);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
#endif
}
// Two integers of 16 bits in every lane.
RDI_INLINE vs broadcastPair(const int16_t* p) {
#if defined(__wasm_simd128__)
  return reinterpret_cast<vs>(wasm_v128_load32_splat(p));
#else
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  return reinterpret_cast<vs>(vi{pair, pair, pair, pair});
#endif
}

// Sums of two products: where an instruction adds neighbouring ones, sum[i] + a[2i]·b[2i] + a[2i + 1]·b[2i + 1]; else,
// with the first factors of all lanes before the second ones in a, sum[i] + a[i]·b[0] + a[VL + i]·b[1].
#if defined(__wasm_simd128__)
inline constexpr bool pairsInterleaved = true;
RDI_INLINE vi addPairProducts(vi sum, vs a, vs b) {
  return wrappingSum(
      sum, reinterpret_cast<vi>(wasm_i32x4_dot_i16x8(reinterpret_cast<v128_t>(a), reinterpret_cast<v128_t>(b))));
}
#elif defined(__ARM_NEON)
inline constexpr bool pairsInterleaved = false;
RDI_INLINE vi addPairProducts(vi sum, vs a, vs b) {
  const int16x8_t weights = int16x8_t(a), pair = int16x8_t(b);
  const int32x4_t first = vmlal_lane_s16(int32x4_t(sum), vget_low_s16(weights), vget_low_s16(pair), 0);
  return reinterpret_cast<vi>(vmlal_lane_s16(first, vget_high_s16(weights), vget_low_s16(pair), 1));
}
#elif defined(__SSE2__)
inline constexpr bool pairsInterleaved = true;
RDI_INLINE vi addPairProducts(vi sum, vs a, vs b) {
  return wrappingSum(sum,
                     reinterpret_cast<vi>(_mm_madd_epi16(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b))));
}
#else
inline constexpr bool pairsInterleaved = false;
RDI_INLINE vi addPairProducts(vi sum, vs a, vs b) {
  for (int i = 0; i < VL; i++) sum[i] += a[i] * b[0] + a[VL + i] * b[1];
  return sum;
}
#endif

}  // namespace rdi::kernels::inline RDI_ISA
