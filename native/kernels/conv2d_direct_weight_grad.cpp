// Weight gradient of a direct convolution: accumulator [group][kh][kw][in][out] += windowsᵀ·dy.
#include "conv2d_direct.h"
#include "gemm.h"

namespace rdi::kernels::inline RDI_ISA {

template <>
size_t ConvWeightGrad<Direct>::accumulatorFloats(const ConvShape& s) {
  return weightFloats(s);
}

template <>
size_t ConvWeightGrad<Direct>::scratchFloats(const ConvShape& s, int32_t) {
  const ConvShape group = groupOf(s);
  return needsCopy(group, s.inChannels) ? paddedFloats(group) : 0;
}

template <>
void ConvWeightGrad<Direct>::accumulate(const ConvShape& s, int32_t images, const float* x, const float* dy,
                                        float* accumulator, float* scratch) {
  const ConvShape group = groupOf(s);
  const int32_t run = s.kernelWidth * group.inChannels, outRow = s.outWidth * s.outChannels;
  const ptrdiff_t inRow = paddedRow(group);
  // Output rows at a time, so that the strips of x and dy that every register tile reads stay in the first-level cache.
  const int32_t stripFloats = 6 * 1024;
  int32_t strip = int32_t(stripFloats / (s.stride * inRow + outRow));
  strip = strip < 1 ? 1 : strip;
  for (int32_t image = 0; image < images; image++) {
    for (int32_t g = 0; g < s.groups; g++) {
      const float* input = withBorders(group, s.inChannels, x + image * inFloats(s) + g * group.inChannels, scratch);
      const float* gradient = dy + image * outFloats(s) + g * group.outChannels;
      float* sums = accumulator + g * weightFloats(group);
      for (int32_t y = 0; y < s.outHeight; y += strip) {
        const int32_t rows = s.outHeight - y < strip ? s.outHeight - y : strip;
        const OuterGrid grid{rows,          s.outWidth, ptrdiff_t(s.stride) * group.inChannels, s.stride * inRow,
                             s.outChannels, outRow};
        for (int32_t kh = 0; kh < s.kernelHeight; kh++) {
          accumulateOuter(grid, input + (y * s.stride + kh) * inRow, run, gradient + ptrdiff_t(y) * outRow,
                          group.outChannels, sums + size_t(kh) * run * group.outChannels, group.outChannels);
        }
      }
    }
  }
}

template <>
void ConvWeightGrad<Direct>::finish(const ConvShape& s, const float* const* accumulators, int32_t count, float* dw) {
  const ConvShape group = groupOf(s);
  size_t from = 0;
  for (int32_t g = 0; g < s.groups; g++, dw += weightFloats(group)) {
    for (int32_t kh = 0; kh < s.kernelHeight; kh++) {
      for (int32_t kw = 0; kw < s.kernelWidth; kw++) {
        for (int32_t c = 0; c < group.inChannels; c++) {
          for (int32_t o = 0; o < group.outChannels; o++, from++) {
            float sum = 0;
            for (int32_t i = 0; i < count; i++) sum += accumulators[i][from];
            dw[weightIndex(group, o, c, kh, kw)] = sum;
          }
        }
      }
    }
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
