// The vectors of VL floats that each instruction set's header is written over: compilers' vector extensions, whose
// arithmetic and comparisons are the same everywhere. Included once VL is defined.
#pragma once

#include <stdint.h>

namespace rdi::kernels::inline RDI_ISA {

typedef float vf __attribute__((vector_size(VL * sizeof(float))));
typedef int32_t vi __attribute__((vector_size(VL * sizeof(float))));
typedef uint32_t vu __attribute__((vector_size(VL * sizeof(float))));
typedef float vfUnaligned __attribute__((vector_size(VL * sizeof(float)), aligned(sizeof(float)), may_alias));

// Twice as many integers of 16 bits.
typedef int16_t vs __attribute__((vector_size(VL * sizeof(float))));
typedef int16_t vsUnaligned __attribute__((vector_size(VL * sizeof(float)), aligned(sizeof(int16_t)), may_alias));
typedef int32_t viUnaligned __attribute__((vector_size(VL * sizeof(float)), aligned(sizeof(int32_t)), may_alias));

RDI_INLINE vf load(const float* p) { return *reinterpret_cast<const vfUnaligned*>(p); }
RDI_INLINE void store(float* p, vf x) { *reinterpret_cast<vfUnaligned*>(p) = x; }
// Modulo 2³².
RDI_INLINE vi wrappingSum(vi a, vi b) {
  return reinterpret_cast<vi>(reinterpret_cast<vu>(a) + reinterpret_cast<vu>(b));
}
RDI_INLINE vf zero() { return vf{}; }

}  // namespace rdi::kernels::inline RDI_ISA
