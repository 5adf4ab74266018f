// What the direct convolution and its weight gradient share: images with their borders, and windows copied out of them.
#pragma once

#include "conv2d_internal.h"

namespace rdi::kernels {

RDI_INLINE int32_t windowFloats(const ConvShape& s) { return s.kernelHeight * s.kernelWidth * s.inChannels; }

// Whether the runs of a window are too short for the inner loop of a matrix product (a stem with one or three channels), so that its
// windows are copied into rows of their own.
RDI_INLINE bool copiesWindows(const ConvShape& s) { return s.kernelHeight > 1 && s.kernelWidth * s.inChannels < 12; }

RDI_INLINE size_t paddedFloats(const ConvShape& s) {
  if (s.padding == 0) return 0;
  return alignFloats(size_t(s.inHeight + 2 * s.padding) * (s.inWidth + 2 * s.padding) * s.inChannels);
}
RDI_INLINE size_t windowsFloats(const ConvShape& s) {
  return copiesWindows(s) ? alignFloats(size_t(s.outHeight) * s.outWidth * windowFloats(s)) : 0;
}
// Floats between the rows of an image with its borders.
RDI_INLINE ptrdiff_t paddedRow(const ConvShape& s) { return ptrdiff_t(s.inWidth + 2 * s.padding) * s.inChannels; }

// Copies one [height][width][channels] image into the middle of a zeroed one.
void padImage(const float* x, int32_t height, int32_t width, int32_t channels, int32_t top, int32_t bottom, int32_t left,
              int32_t right, float* padded);

// The image with its borders: itself if it needs none, else a copy in scratch of paddedFloats().
const float* withBorders(const ConvShape& s, const float* x, float* scratch);

// windows[output pixel][kh][kw][channel] of an image with its borders.
void copyWindows(const ConvShape& s, const float* image, float* windows);

}  // namespace rdi::kernels
