// What the direct convolution and its gradients share: images with their borders. Where there are several groups, each
// is a convolution of its own over its channels of the images; the functions here get the shape of one group.
#pragma once

#include "conv2d_internal.h"

namespace rdi::kernels::inline RDI_ISA {

RDI_INLINE int32_t windowFloats(const ConvShape& s) { return s.kernelHeight * s.kernelWidth * s.inChannels; }

RDI_INLINE size_t paddedFloats(const ConvShape& s) {
  return alignFloats(size_t(s.inHeight + 2 * s.padding) * (s.inWidth + 2 * s.padding) * s.inChannels);
}
// Floats between the rows of an image with its borders.
RDI_INLINE ptrdiff_t paddedRow(const ConvShape& s) { return ptrdiff_t(s.inWidth + 2 * s.padding) * s.inChannels; }

// Copies one [height][width][channels] image, whose pixels are `pixel` floats apart, into the middle of a zeroed one.
void padImage(const float* x, ptrdiff_t pixel, int32_t height, int32_t width, int32_t channels, int32_t top,
              int32_t bottom, int32_t left, int32_t right, float* padded);

// The group's channels of an image of `channels`, with borders: the image itself if it has no other channels and needs
// no borders, else a copy in scratch of paddedFloats().
RDI_INLINE bool needsCopy(const ConvShape& s, int32_t channels) { return s.padding > 0 || channels > s.inChannels; }
const float* withBorders(const ConvShape& s, int32_t channels, const float* x, float* scratch);

// The input gradient where there is one input channel and the stride is 1: vectors hold neighbouring pixels instead of
// channels.
RDI_INLINE bool hasOneChannelGrad(const ConvShape& s) { return s.inChannels == 1 && s.stride == 1; }
size_t oneChannelGradPackedFloats(const ConvShape& s);
void oneChannelGradPack(const ConvShape& s, const float* weight, float* packed);
size_t oneChannelGradScratchFloats(const ConvShape& s);
// Of one image.
void oneChannelGrad(const ConvShape& s, const float* dy, const float* packed, const Epilogue& epilogue, float* dx,
                    float* scratch);

}  // namespace rdi::kernels::inline RDI_ISA
