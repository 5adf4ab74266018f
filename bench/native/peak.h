// The loop that gives a machine's peak of multiplications and additions, fused where it can, with the vectors of the
// instruction set that it is compiled for.
#pragma once

#include "kernels/simd.h"

namespace rdi::kernels::inline RDI_ISA {

// Independent chains: enough to fill the pipelines of every x86 and Arm core, few enough to stay in registers.
inline constexpr int peakChains = registers >= 32 ? 16 : 12, peakSteps = 4;
// Of one iteration.
inline constexpr int peakOperations = peakSteps * peakChains * VL * 2;

// Returns a value that depends on all chains, and they on `start`.
inline float peak(int32_t iterations, float start) {
  vf x[peakChains];
  RDI_UNROLL for (int i = 0; i < peakChains; i++) x[i] = broadcast(start + float(i));
  const vf factor = broadcast(0.9375f), term = broadcast(0.0625f);
  RDI_NO_UNROLL for (; iterations > 0; iterations--) {
    RDI_UNROLL for (int step = 0; step < peakSteps; step++) {
      RDI_UNROLL for (int i = 0; i < peakChains; i++) x[i] = madd(x[i], factor, term);
    }
  }
  vf sum = zero();
  RDI_UNROLL for (int i = 0; i < peakChains; i++) sum += x[i];
  return sumLanes(sum);
}

}  // namespace rdi::kernels::inline RDI_ISA
