// Direct convolution as an implicit matrix product: with NHWC, the part of a window that lies in one input row is one
// contiguous run of kernelWidth · channels floats, so that no column matrix is needed.
#include "conv2d_direct.h"

#include "gemm.h"

namespace rdi::kernels {

void padImage(const float* x, int32_t height, int32_t width, int32_t channels, int32_t top, int32_t bottom,
              int32_t left, int32_t right, float* padded) {
  const size_t row = size_t(width) * channels, paddedRow = size_t(left + width + right) * channels;
  const size_t before = size_t(left) * channels, after = size_t(right) * channels;
  __builtin_memset(padded, 0, top * paddedRow * sizeof(float));
  padded += top * paddedRow;
  for (int32_t y = 0; y < height; y++) {
    __builtin_memset(padded, 0, before * sizeof(float));
    __builtin_memcpy(padded + before, x, row * sizeof(float));
    __builtin_memset(padded + before + row, 0, after * sizeof(float));
    padded += paddedRow;
    x += row;
  }
  __builtin_memset(padded, 0, bottom * paddedRow * sizeof(float));
}

const float* withBorders(const ConvShape& s, const float* x, float* scratch) {
  if (s.padding == 0) return x;
  padImage(x, s.inHeight, s.inWidth, s.inChannels, s.padding, s.padding, s.padding, s.padding, scratch);
  return scratch;
}

template <>
size_t ConvForward<Direct>::packedFloats(const ConvShape& s) {
  return kernels::packedFloats(windowFloats(s), s.outChannels);
}

template <>
void ConvForward<Direct>::pack(const ConvShape& s, const float* weight, float* packed) {
  const int32_t run = s.kernelWidth * s.inChannels;
  packMatrix(windowFloats(s), s.outChannels, packed, [&](int32_t k, int32_t o) {
    return weight[weightIndex(s, o, k % s.inChannels, k / run, k % run / s.inChannels)];
  });
}

template <>
size_t ConvForward<Direct>::scratchFloats(const ConvShape& s, int32_t) {
  return paddedFloats(s);
}

template <>
void ConvForward<Direct>::run(const ConvShape& s, int32_t images, const float* x, const float* packed,
                              const Epilogue& epilogue, float* y, float* scratch) {
  const ptrdiff_t inRow = paddedRow(s), outRow = ptrdiff_t(s.outWidth) * s.outChannels;
  const RowGrid grid{s.outHeight * s.outWidth, s.outWidth,    ptrdiff_t(s.stride) * s.inChannels,
                     s.stride * inRow,         s.outChannels, outRow};
  const Runs runs{s.kernelHeight, s.kernelWidth * s.inChannels, inRow};
  for (int32_t image = 0; image < images; image++) {
    const float* input = withBorders(s, x + image * inFloats(s), scratch);
    const size_t offset = image * outFloats(s);
    multiply(grid, input, runs, packed, s.outChannels, shifted(epilogue, offset), y + offset);
  }
}

}  // namespace rdi::kernels
