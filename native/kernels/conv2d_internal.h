// What the convolution files share; not part of the interface.
#pragma once

#include "conv2d.h"
#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {

// `c` counts from the first input channel of the output's group.
RDI_INLINE size_t weightIndex(const ConvShape& s, int32_t o, int32_t c, int32_t kh, int32_t kw) {
  return ((size_t(o) * (s.inChannels / s.groups) + c) * s.kernelHeight + kh) * s.kernelWidth + kw;
}
// One group, as a convolution of its own. Its weights follow those of the group before it.
RDI_INLINE ConvShape groupOf(const ConvShape& s) {
  ConvShape group = s;
  group.inChannels = s.inChannels / s.groups;
  group.outChannels = s.outChannels / s.groups;
  group.groups = 1;
  return group;
}
RDI_INLINE size_t weightFloats(const ConvShape& s) {
  return size_t(s.outChannels) * (s.inChannels / s.groups) * s.kernelHeight * s.kernelWidth;
}

RDI_INLINE size_t inFloats(const ConvShape& s) { return size_t(s.inHeight) * s.inWidth * s.inChannels; }
RDI_INLINE size_t outFloats(const ConvShape& s) { return size_t(s.outHeight) * s.outWidth * s.outChannels; }

// The functions of conv2d.h, once a method: Direct and Depthwise here, those of winograd.h.
struct Direct {};
struct Depthwise {};

template <class Method>
struct ConvForward {
  static size_t packedFloats(const ConvShape& shape);
  static void pack(const ConvShape& shape, const float* weight, float* packed);
  static size_t scratchFloats(const ConvShape& shape, int32_t images);
  static void run(const ConvShape& shape, int32_t images, const float* x, const float* packed, const Epilogue& epilogue,
                  float* y, float* scratch, Share share);
};

template <class Method>
struct ConvInputGrad {
  static size_t packedFloats(const ConvShape& shape);
  static void pack(const ConvShape& shape, const float* weight, float* packed);
  static size_t scratchFloats(const ConvShape& shape, int32_t images);
  static void run(const ConvShape& shape, int32_t images, const float* dy, const float* packed,
                  const Epilogue& epilogue, float* dx, float* scratch, Share share);
};

template <class Method>
struct ConvWeightGrad {
  static size_t accumulatorFloats(const ConvShape& shape);
  static size_t scratchFloats(const ConvShape& shape, int32_t images);
  static void accumulate(const ConvShape& shape, int32_t images, const float* x, const float* dy, float* accumulator,
                         float* scratch);
  static void finish(const ConvShape& shape, const float* const* accumulators, int32_t count, float* dw);
};

}  // namespace rdi::kernels::inline RDI_ISA
