#include "random.h"

#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// The float in [0, 1) that 24 bits of a random word stand for.
RDI_INLINE float unitFloat(uint32_t word) { return float(word >> 8) * 0x1p-24f; }

// Calls visit(index in NHWC, u) for every element of an image.
template <class Visit>
RDI_INLINE void forEachDraw(const ImageShape& shape, Seed seed, uint32_t imageId, uint32_t stream, Visit visit) {
  const size_t pixels = size_t(shape.height) * shape.width, channels = size_t(shape.channels);
  uint32_t words[4] = {};
  size_t element = 0;
  for (size_t c = 0; c < channels; c++) {
    for (size_t pixel = 0; pixel < pixels; pixel++, element++) {
      if (element % 4 == 0) {
        const uint32_t counter[4] = {uint32_t(element / 4), imageId, stream, 0};
        philox4x32(counter, seed, words);
      }
      visit(pixel * channels + c, unitFloat(words[element % 4]));
    }
  }
}

}  // namespace

void philox4x32(const uint32_t counter[4], Seed seed, uint32_t out[4]) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = seed.lo, k1 = seed.hi;
  for (int round = 0; round < 10; round++) {
    const uint64_t product0 = uint64_t(0xd2511f53u) * c0, product1 = uint64_t(0xcd9e8d57u) * c2;
    c0 = uint32_t(product1 >> 32) ^ c1 ^ k0;
    c1 = uint32_t(product1);
    c2 = uint32_t(product0 >> 32) ^ c3 ^ k1;
    c3 = uint32_t(product0);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

void randomUniform(const ImageShape& shape, Seed seed, uint32_t imageId, uint32_t stream, float low, float high,
                   float* y) {
  const float span = high - low;
  forEachDraw(shape, seed, imageId, stream, [&](size_t i, float u) { y[i] = low + span * u; });
}

void dropout(const ImageShape& shape, Seed seed, uint32_t imageId, uint32_t stream, float rate, const float* x,
             float* y) {
  const float scale = 1.0f / (1.0f - rate);
  forEachDraw(shape, seed, imageId, stream, [&](size_t i, float u) { y[i] = x[i] * (u >= rate ? scale : 0.0f); });
}

}  // namespace rdi::kernels::inline RDI_ISA
