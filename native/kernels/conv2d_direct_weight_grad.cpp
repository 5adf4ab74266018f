// Weight gradient of a direct convolution: accumulator [kh][kw][in][out] += windowsᵀ·dy.
#include "conv2d_direct.h"
#include "gemm.h"

namespace rdi::kernels {

template <>
size_t ConvWeightGrad<Direct>::accumulatorFloats(const ConvShape& s) {
  return size_t(windowFloats(s)) * s.outChannels;
}

template <>
size_t ConvWeightGrad<Direct>::scratchFloats(const ConvShape& s, int32_t) {
  return paddedFloats(s);
}

template <>
void ConvWeightGrad<Direct>::accumulate(const ConvShape& s, int32_t images, const float* x, const float* dy,
                                        float* accumulator, float* scratch) {
  const int32_t run = s.kernelWidth * s.inChannels, outRow = s.outWidth * s.outChannels;
  const ptrdiff_t inRow = paddedRow(s);
  // Output rows at a time, so that the strips of x and dy that every register tile reads stay in the first-level cache.
  const int32_t stripFloats = 6 * 1024;
  int32_t strip = int32_t(stripFloats / (s.stride * inRow + outRow));
  strip = strip < 1 ? 1 : strip;
  for (int32_t image = 0; image < images; image++) {
    const float* input = withBorders(s, x + image * inFloats(s), scratch);
    const float* gradient = dy + image * outFloats(s);
    for (int32_t y = 0; y < s.outHeight; y += strip) {
      const int32_t rows = s.outHeight - y < strip ? s.outHeight - y : strip;
      const OuterGrid grid{rows,          s.outWidth, ptrdiff_t(s.stride) * s.inChannels, s.stride * inRow,
                           s.outChannels, outRow};
      for (int32_t kh = 0; kh < s.kernelHeight; kh++) {
        accumulateOuter(grid, input + (y * s.stride + kh) * inRow, run, gradient + ptrdiff_t(y) * outRow, s.outChannels,
                        accumulator + size_t(kh) * run * s.outChannels, s.outChannels);
      }
    }
  }
}

template <>
void ConvWeightGrad<Direct>::finish(const ConvShape& s, const float* const* accumulators, int32_t count, float* dw) {
  size_t from = 0;
  for (int32_t kh = 0; kh < s.kernelHeight; kh++) {
    for (int32_t kw = 0; kw < s.kernelWidth; kw++) {
      for (int32_t c = 0; c < s.inChannels; c++) {
        for (int32_t o = 0; o < s.outChannels; o++, from++) {
          float sum = 0;
          for (int32_t i = 0; i < count; i++) sum += accumulators[i][from];
          dw[weightIndex(s, o, c, kh, kw)] = sum;
        }
      }
    }
  }
}

}  // namespace rdi::kernels
