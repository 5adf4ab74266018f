// What the convolution files share; not part of the interface.
#pragma once

#include "conv2d.h"
#include "simd.h"

namespace rdi::kernels {

RDI_INLINE size_t weightIndex(const ConvShape& s, int32_t o, int32_t c, int32_t kh, int32_t kw) {
  return ((size_t(o) * s.inChannels + c) * s.kernelHeight + kh) * s.kernelWidth + kw;
}
RDI_INLINE size_t inFloats(const ConvShape& s) { return size_t(s.inHeight) * s.inWidth * s.inChannels; }
RDI_INLINE size_t outFloats(const ConvShape& s) { return size_t(s.outHeight) * s.outWidth * s.outChannels; }

// The same epilogue for the image that starts `offset` floats further into the result.
RDI_INLINE Epilogue shifted(Epilogue e, size_t offset) {
  if (e.residual) e.residual += offset;
  if (e.reluMask) e.reluMask += offset;
  return e;
}

// The functions of conv2d.h, once a method: Direct here, Winograd2 and Winograd4 of winograd.h.
struct Direct {};

template <class Method>
struct ConvForward {
  static size_t packedFloats(const ConvShape& shape);
  static void pack(const ConvShape& shape, const float* weight, float* packed);
  static size_t scratchFloats(const ConvShape& shape, int32_t images);
  static void run(const ConvShape& shape, int32_t images, const float* x, const float* packed, const Epilogue& epilogue,
                  float* y, float* scratch);
};

template <class Method>
struct ConvInputGrad {
  static size_t packedFloats(const ConvShape& shape);
  static void pack(const ConvShape& shape, const float* weight, float* packed);
  static size_t scratchFloats(const ConvShape& shape, int32_t images);
  static void run(const ConvShape& shape, int32_t images, const float* dy, const float* packed,
                  const Epilogue& epilogue, float* dx, float* scratch);
};

template <class Method>
struct ConvWeightGrad {
  static size_t accumulatorFloats(const ConvShape& shape);
  static size_t scratchFloats(const ConvShape& shape, int32_t images);
  static void accumulate(const ConvShape& shape, int32_t images, const float* x, const float* dy, float* accumulator,
                         float* scratch);
  static void finish(const ConvShape& shape, const float* const* accumulators, int32_t count, float* dw);
};

}  // namespace rdi::kernels
