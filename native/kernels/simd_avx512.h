// AVX-512 (F, VL, DQ, BW): 32 registers of 16 floats, and masks.
#pragma once

#include <immintrin.h>

#include "isa.h"

namespace rdi::kernels::inline RDI_ISA {

inline constexpr int VL = 16;
inline constexpr int registers = 32;
// Whether partial vectors are loaded and stored in one instruction.
inline constexpr bool hasMasks = true;

}  // namespace rdi::kernels::inline RDI_ISA

#include "vector_types.h"

namespace rdi::kernels::inline RDI_ISA {

RDI_INLINE vf broadcast(float s) { return reinterpret_cast<vf>(_mm512_set1_ps(s)); }
RDI_INLINE vf broadcastLoad(const float* p) { return broadcast(*p); }
RDI_INLINE vf madd(vf a, vf b, vf c) { return reinterpret_cast<vf>(_mm512_fmadd_ps(__m512(a), __m512(b), __m512(c))); }
RDI_INLINE vf select(vi mask, vf a, vf b) { return mask ? a : b; }
RDI_INLINE vf keep(vi mask, vf x) { return mask ? x : vf{}; }
// x where the bits from `at` on, a multiple of VL, are set, else 0; and the VL bits that say where x is positive.
RDI_INLINE vf keepBits(const uint8_t* bits, ptrdiff_t at, vf x) {
  __mmask16 mask;
  __builtin_memcpy(&mask, bits + at / 8, sizeof(mask));
  return reinterpret_cast<vf>(_mm512_maskz_mov_ps(mask, __m512(x)));
}
RDI_INLINE uint32_t positiveLanes(vf x) {
  return _mm512_mask_cmp_ps_mask(__mmask16(-1), __m512(x), __m512(zero()), _CMP_GT_OQ);
}
// With all lanes masked in, since GCC warns of its own intrinsics without masks.
RDI_INLINE vf atLeast(vf x, vf low) {
  return reinterpret_cast<vf>(_mm512_maskz_max_ps(__mmask16(-1), __m512(low), __m512(x)));
}
RDI_INLINE vf atMost(vf x, vf high) {
  return reinterpret_cast<vf>(_mm512_maskz_min_ps(__mmask16(-1), __m512(high), __m512(x)));
}
RDI_INLINE vf squareRoot(vf x) { return reinterpret_cast<vf>(_mm512_maskz_sqrt_ps(__mmask16(-1), __m512(x))); }
RDI_INLINE float sumLanes(vf x) {
  x += __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
  return (x[0] + x[2]) + (x[1] + x[3]);
}
RDI_INLINE float maxLanes(vf x) {
  x = atLeast(x, __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  x = atLeast(x, __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  const float a = x[0] > x[1] ? x[0] : x[1], b = x[2] > x[3] ? x[2] : x[3];
  return a > b ? a : b;
}

RDI_INLINE __mmask16 firstLanes(size_t count) { return __mmask16((1u << count) - 1); }
RDI_INLINE vf loadPart(const float* p, size_t count, float filler = 0) {
  return reinterpret_cast<vf>(_mm512_mask_loadu_ps(_mm512_set1_ps(filler), firstLanes(count), p));
}
RDI_INLINE void storePart(float* p, vf x, size_t count) { _mm512_mask_storeu_ps(p, firstLanes(count), __m512(x)); }

// The lanes of a, then those of b, in 16 bits, in which they must fit.
RDI_INLINE vs narrow(vi a, vi b) {
  typedef int16_t Half __attribute__((vector_size(VL * sizeof(int16_t))));
  const Half low = __builtin_convertvector(a, Half), high = __builtin_convertvector(b, Half);
  return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
                                 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31);
}
// Two integers of 16 bits in every lane.
RDI_INLINE vs broadcastPair(const int16_t* p) {
  int32_t pair;
  __builtin_memcpy(&pair, p, sizeof(pair));
  return reinterpret_cast<vs>(_mm512_set1_epi32(pair));
}
// sum[i] + a[2i]·b[2i] + a[2i + 1]·b[2i + 1].
inline constexpr bool pairsInterleaved = true;
RDI_INLINE vi addPairProducts(vi sum, vs a, vs b) {
  return wrappingSum(
      sum, reinterpret_cast<vi>(_mm512_madd_epi16(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b))));
}

// The same in one instruction, which not all machines of this instruction set have.
RDI_INLINE bool fusesPairProducts() { return __builtin_cpu_supports("avx512vnni"); }
RDI_INLINE vi addPairProductsFused(vi sum, vs a, vs b) {
  // Not by its intrinsic, which would take this file to be compiled for machines that have it.
  asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}

}  // namespace rdi::kernels::inline RDI_ISA
