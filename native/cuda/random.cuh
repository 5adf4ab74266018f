// Philox4x32-10, with the counters and the numbering of native/kernels/random.h: bit for bit the numbers of all other
// backends.
#pragma once

#include "extent.cuh"

namespace rdi::cuda {

struct RandomArguments {
  Images images;
  int32_t channels;
  int64_t pixels;
  const int32_t* seed;  // 2
  const int32_t* ids;   // one an image
  uint32_t stream;
  float low, high;  // of randomUniform
  float rate;       // of dropout
  const float* x;   // of dropout; null: randomUniform
  float* y;
};

RDI_DEVICE void philox(uint32_t (&c)[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    const uint32_t high0 = __umulhi(0xd2511f53u, c[0]), low0 = 0xd2511f53u * c[0];
    const uint32_t high1 = __umulhi(0xcd9e8d57u, c[2]), low1 = 0xcd9e8d57u * c[2];
    c[0] = high1 ^ c[1] ^ k0;
    c[1] = low1;
    c[2] = high0 ^ c[3] ^ k1;
    c[3] = low0;
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
}

// A thread makes the four numbers of a block.
RDI_KERNEL void randomKernel(RandomArguments p) {
  const int64_t elements = p.channels * p.pixels, blocks = (elements + 3) / 4;
  const uint32_t seed0 = uint32_t(p.seed[0]), seed1 = uint32_t(p.seed[1]);
  forEachIndex(countOf({p.images, blocks}), [&](int64_t i) {
    const int64_t image = i / blocks, block = i % blocks;
    uint32_t words[4] = {uint32_t(block), uint32_t(p.ids[image]), p.stream, 0};
    philox(words, seed0, seed1);
    RDI_UNROLL_LOOP
    for (int j = 0; j < 4; j++) {
      const int64_t element = block * 4 + j;  // in NCHW order
      if (element >= elements) break;
      const float u = float(words[j] >> 8) * 0x1p-24f;
      const int64_t at = image * elements + element % p.pixels * p.channels + element / p.pixels;
      // Not as a fused multiply-add, which rounds otherwise.
      p.y[at] = p.x ? __fmul_rn(p.x[at], u >= p.rate ? 1.0f / (1.0f - p.rate) : 0.0f)
                    : __fadd_rn(p.low, __fmul_rn(p.high - p.low, u));
    }
  });
}

}  // namespace rdi::cuda
