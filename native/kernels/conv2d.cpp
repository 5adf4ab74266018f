// The interface of conv2d.h: chooses among the methods.
#include "conv2d_internal.h"

namespace rdi::kernels {

bool conv2dSupports(const ConvShape&, ConvMethod method) { return method == ConvMethod::Direct; }

ConvMethod conv2dMethod(const ConvShape&, ConvPass) { return ConvMethod::Direct; }

size_t conv2dPackedFloats(const ConvShape& s, ConvMethod) { return direct::packedFloats(s); }
void conv2dPack(const ConvShape& s, ConvMethod, const float* weight, float* packed) { direct::pack(s, weight, packed); }
size_t conv2dScratchFloats(const ConvShape& s, ConvMethod, int32_t) { return direct::scratchFloats(s); }
void conv2dForward(const ConvShape& s, ConvMethod, int32_t images, const float* x, const float* packed,
                   const Epilogue& epilogue, float* y, float* scratch) {
  direct::forward(s, images, x, packed, epilogue, y, scratch);
}

size_t conv2dInputGradPackedFloats(const ConvShape& s, ConvMethod) { return direct::inputGradPackedFloats(s); }
void conv2dInputGradPack(const ConvShape& s, ConvMethod, const float* weight, float* packed) {
  direct::inputGradPack(s, weight, packed);
}
size_t conv2dInputGradScratchFloats(const ConvShape& s, ConvMethod, int32_t) { return direct::inputGradScratchFloats(s); }
void conv2dInputGrad(const ConvShape& s, ConvMethod, int32_t images, const float* dy, const float* packed,
                     const Epilogue& epilogue, float* dx, float* scratch) {
  direct::inputGrad(s, images, dy, packed, epilogue, dx, scratch);
}

size_t conv2dWeightGradAccumulatorFloats(const ConvShape& s, ConvMethod) { return direct::weightGradAccumulatorFloats(s); }
size_t conv2dWeightGradScratchFloats(const ConvShape& s, ConvMethod, int32_t) { return direct::weightGradScratchFloats(s); }
void conv2dWeightGradAccumulate(const ConvShape& s, ConvMethod, int32_t images, const float* x, const float* dy,
                                float* accumulator, float* scratch) {
  direct::weightGradAccumulate(s, images, x, dy, accumulator, scratch);
}
void conv2dWeightGradFinish(const ConvShape& s, ConvMethod, const float* const* accumulators, int32_t count, float* dw) {
  direct::weightGradFinish(s, accumulators, count, dw);
}

}  // namespace rdi::kernels
