// AVX2 with FMA: 16 registers of 8 floats.
#pragma once

#include <immintrin.h>

#include "isa.h"

namespace rdi::kernels::inline RDI_ISA {

inline constexpr int VL = 8;
inline constexpr int registers = 16;
// Whether partial vectors are loaded and stored in one instruction.
inline constexpr bool hasMasks = true;

}  // namespace rdi::kernels::inline RDI_ISA

#include "vector_types.h"

namespace rdi::kernels::inline RDI_ISA {

RDI_INLINE vf broadcast(float s) { return reinterpret_cast<vf>(_mm256_set1_ps(s)); }
RDI_INLINE vf broadcastLoad(const float* p) { return broadcast(*p); }
RDI_INLINE vf madd(vf a, vf b, vf c) { return reinterpret_cast<vf>(_mm256_fmadd_ps(__m256(a), __m256(b), __m256(c))); }
RDI_INLINE vf select(vi mask, vf a, vf b) {
  return reinterpret_cast<vf>(_mm256_blendv_ps(__m256(b), __m256(a), reinterpret_cast<__m256>(mask)));
}
RDI_INLINE vf keep(vi mask, vf x) { return reinterpret_cast<vf>(mask & reinterpret_cast<vi>(x)); }
// x where the bits from `at` on, a multiple of VL, are set, else 0; and the VL bits that say where x is positive.
RDI_INLINE vf keepBits(const uint8_t* bits, ptrdiff_t at, vf x) {
  const vi lane = {1, 2, 4, 8, 16, 32, 64, 128};
  return keep((reinterpret_cast<vi>(_mm256_set1_epi32(bits[at / 8])) & lane) != 0, x);
}
RDI_INLINE uint32_t positiveLanes(vf x) { return uint32_t(_mm256_movemask_ps(reinterpret_cast<__m256>(x > zero()))); }
RDI_INLINE vf atLeast(vf x, vf low) { return reinterpret_cast<vf>(_mm256_max_ps(__m256(low), __m256(x))); }
RDI_INLINE vf atMost(vf x, vf high) { return reinterpret_cast<vf>(_mm256_min_ps(__m256(high), __m256(x))); }
RDI_INLINE vf squareRoot(vf x) { return reinterpret_cast<vf>(_mm256_sqrt_ps(__m256(x))); }
RDI_INLINE float sumLanes(vf x) {
  const vf y = x + __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3);
  return (y[0] + y[2]) + (y[1] + y[3]);
}
RDI_INLINE float maxLanes(vf x) {
  x = atLeast(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3));
  const float a = x[0] > x[1] ? x[0] : x[1], b = x[2] > x[3] ? x[2] : x[3];
  return a > b ? a : b;
}

RDI_INLINE vi firstLanes(size_t count) { return vi{0, 1, 2, 3, 4, 5, 6, 7} < int32_t(count); }
RDI_INLINE vf loadPart(const float* p, size_t count, float filler = 0) {
  const vi mask = firstLanes(count);
  return select(mask, reinterpret_cast<vf>(_mm256_maskload_ps(p, reinterpret_cast<__m256i>(mask))), broadcast(filler));
}
RDI_INLINE void storePart(float* p, vf x, size_t count) {
  _mm256_maskstore_ps(p, reinterpret_cast<__m256i>(firstLanes(count)), __m256(x));
}

// The lanes of a, then those of b, in 16 bits, in which they must fit.
RDI_INLINE vs narrow(vi a, vi b) {
  const __m256i halves = _mm256_packs_epi32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b));
  return reinterpret_cast<vs>(_mm256_permute4x64_epi64(halves, 0xd8));
}
// Two integers of 16 bits in every lane.
RDI_INLINE vs broadcastPair(const int16_t* p) {
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  return reinterpret_cast<vs>(_mm256_set1_epi32(pair));
}
// sum[i] + a[2i]·b[2i] + a[2i + 1]·b[2i + 1].
inline constexpr bool pairsInterleaved = true;
RDI_INLINE vi addPairProducts(vi sum, vs a, vs b) {
  return wrappingSum(
      sum, reinterpret_cast<vi>(_mm256_madd_epi16(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b))));
}

}  // namespace rdi::kernels::inline RDI_ISA
