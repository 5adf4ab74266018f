// Counter-based random numbers: Philox4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC
// 2011). Bit-identical to src/util/random.ts, and independent of tiles and threads: a draw is a function of (seed,
// image id, stream, element).
#pragma once

#include <stdint.h>

#include "isa.h"

namespace rdi::kernels::inline RDI_ISA {

struct Seed {
  uint32_t lo, hi;
};

// An image's shape. Elements are numbered in NCHW order (so that a layout does not change the numbers) and stored as
// NHWC; a vector of n values is n channels of one pixel.
struct ImageShape {
  int32_t channels, height, width;
};

// One block: four words for a counter.
void philox4x32(const uint32_t counter[4], Seed seed, uint32_t out[4]);

// y = low + (high − low)·u in float arithmetic, u = unitFloat(word) in [0, 1): element e takes word e mod 4 of the
// block with counter (e / 4, imageId, stream, 0).
void randomUniform(const ImageShape& shape, Seed seed, uint32_t imageId, uint32_t stream, float low, float high,
                   float* y);

// y = u >= rate ? x / (1 − rate) : 0, with the same numbering. y may be x. `rate` is in [0, 1).
void dropout(const ImageShape& shape, Seed seed, uint32_t imageId, uint32_t stream, float rate, const float* x,
             float* y);

}  // namespace rdi::kernels::inline RDI_ISA
