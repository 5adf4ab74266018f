// What the convolution files share; not part of the interface.
#pragma once

#include "conv2d.h"
#include "simd.h"

namespace rdi::kernels {

// Copies one [height][width][channels] image into the middle of a zeroed one.
void padImage(const float* x, int32_t height, int32_t width, int32_t channels, int32_t top, int32_t bottom, int32_t left,
              int32_t right, float* padded);

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

// The methods behind the functions of conv2d.h; see there.
namespace direct {
size_t packedFloats(const ConvShape& shape);
void pack(const ConvShape& shape, const float* weight, float* packed);
size_t scratchFloats(const ConvShape& shape);
void forward(const ConvShape& shape, int32_t images, const float* x, const float* packed, const Epilogue& epilogue, float* y,
             float* scratch);

size_t inputGradPackedFloats(const ConvShape& shape);
void inputGradPack(const ConvShape& shape, const float* weight, float* packed);
size_t inputGradScratchFloats(const ConvShape& shape);
void inputGrad(const ConvShape& shape, int32_t images, const float* dy, const float* packed, const Epilogue& epilogue, float* dx,
               float* scratch);

size_t weightGradAccumulatorFloats(const ConvShape& shape);
size_t weightGradScratchFloats(const ConvShape& shape);
void weightGradAccumulate(const ConvShape& shape, int32_t images, const float* x, const float* dy, float* accumulator,
                          float* scratch);
void weightGradFinish(const ConvShape& shape, const float* const* accumulators, int32_t count, float* dw);
}  // namespace direct

}  // namespace rdi::kernels
