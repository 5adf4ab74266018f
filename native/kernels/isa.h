// Which instruction set this file is compiled for. Kernels are compiled once for each that a binary may meet, every
// time in an inline namespace of that name, so that the linker never takes one build's function for another's.
#pragma once

#if defined(__wasm_relaxed_simd__)
#define RDI_ISA relaxed_simd
#elif defined(__wasm_simd128__)
#define RDI_ISA simd128
#elif defined(__AVX512F__) && defined(__AVX512VL__) && defined(__AVX512DQ__) && defined(__AVX512BW__)
#define RDI_ISA avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define RDI_ISA avx2
#elif defined(__ARM_NEON)
#define RDI_ISA neon
#else
// What the architecture always has.
#define RDI_ISA baseline
#endif

// Functions that such files share with others must not be left to the linker either: they are always inlined.
#define RDI_INLINE inline __attribute__((always_inline))
