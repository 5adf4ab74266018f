// Direct convolution as an implicit matrix product: with NHWC, the part of a window that lies in one input row is one
// contiguous run of kernelWidth · channels floats, so that no column matrix is needed.
#include "conv2d_direct.h"

#include "gemm.h"

namespace rdi::kernels::inline RDI_ISA {

void padImage(const float* x, ptrdiff_t pixel, int32_t height, int32_t width, int32_t channels, int32_t top,
              int32_t bottom, int32_t left, int32_t right, float* padded) {
  const size_t row = size_t(width) * channels, paddedRow = size_t(left + width + right) * channels;
  const size_t before = size_t(left) * channels, after = size_t(right) * channels;
  __builtin_memset(padded, 0, top * paddedRow * sizeof(float));
  padded += top * paddedRow;
  for (int32_t y = 0; y < height; y++) {
    __builtin_memset(padded, 0, before * sizeof(float));
    if (pixel == channels) {
      __builtin_memcpy(padded + before, x, row * sizeof(float));
    } else {
      for (int32_t i = 0; i < width; i++) {
        const float* from = x + i * pixel;
        float* to = padded + before + size_t(i) * channels;
        for (int32_t c = 0; c < channels; c++) to[c] = from[c];
      }
    }
    __builtin_memset(padded + before + row, 0, after * sizeof(float));
    padded += paddedRow;
    x += width * pixel;
  }
  __builtin_memset(padded, 0, bottom * paddedRow * sizeof(float));
}

const float* withBorders(const ConvShape& s, int32_t channels, const float* x, float* scratch) {
  if (!needsCopy(s, channels)) return x;
  padImage(x, channels, s.inHeight, s.inWidth, s.inChannels, s.padding, s.padding, s.padding, s.padding, scratch);
  return scratch;
}

template <>
size_t ConvForward<Direct>::packedFloats(const ConvShape& s) {
  const ConvShape group = groupOf(s);
  return s.groups * kernels::packedFloats(windowFloats(group), group.outChannels);
}

template <>
void ConvForward<Direct>::pack(const ConvShape& s, const float* weight, float* packed) {
  const ConvShape group = groupOf(s);
  const int32_t channels = group.inChannels, run = s.kernelWidth * channels;
  for (int32_t g = 0; g < s.groups; g++) {
    packMatrix(windowFloats(group), group.outChannels, packed, [&](int32_t k, int32_t o) {
      return weight[weightIndex(group, o, k % channels, k / run, k % run / channels)];
    });
    weight += weightFloats(group);
    packed += kernels::packedFloats(windowFloats(group), group.outChannels);
  }
}

template <>
size_t ConvForward<Direct>::scratchFloats(const ConvShape& s, int32_t) {
  const ConvShape group = groupOf(s);
  return needsCopy(group, s.inChannels) ? paddedFloats(group) : 0;
}

template <>
void ConvForward<Direct>::run(const ConvShape& s, int32_t images, const float* x, const float* packed,
                              const Epilogue& epilogue, float* y, float* scratch, Share share) {
  const ConvShape group = groupOf(s);
  const ptrdiff_t inRow = paddedRow(group), outRow = ptrdiff_t(s.outWidth) * s.outChannels;
  const RowGrid grid{s.outHeight * s.outWidth, s.outWidth,    ptrdiff_t(s.stride) * group.inChannels,
                     s.stride * inRow,         s.outChannels, outRow};
  const Runs runs{s.kernelHeight, s.kernelWidth * group.inChannels, inRow};
  const size_t groupPacked = kernels::packedFloats(windowFloats(group), group.outChannels);
  for (int32_t image = 0; image < images; image++) {
    for (int32_t g = 0; g < s.groups; g++) {
      const float* input = withBorders(group, s.inChannels, x + image * inFloats(s) + g * group.inChannels, scratch);
      const int32_t channel = g * group.outChannels;
      const size_t offset = image * outFloats(s) + channel;
      multiply(grid, input, runs, packed + g * groupPacked, group.outChannels, shifted(epilogue, offset, channel),
               y + offset, share);
    }
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
