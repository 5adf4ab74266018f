// Convolutions and fully connected layers in integers, forward.
//
// Floats become integers of 8 bits as they are read, are multiplied with weights of 8 bits, and the sums, which are
// exact, become floats again: so activations are as elsewhere (dense NHWC), and every method, instruction set and
// number of threads gives the same bits.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"
#include "shapes.h"

namespace rdi::kernels::inline RDI_ISA {

// y = sum · scale[channel], then += bias[channel], += residual[same place], max(·, 0) if relu; each part but the first
// only where it is set, and rounded after every step. The residual may be the result's own buffer.
struct QuantizedEpilogue {
  const float* scale;
  const float* bias = nullptr;
  const float* residual = nullptr;
  bool relu = false;
};

// Weights are rows of integers of 8 bits, [out channels][in channels][kernel height][kernel width], a row filled up to
// a multiple of 4. The methods are named in quantized_internal.h; sizes are in floats.
int32_t quantizedMethod(const QuantizedShape& shape);
size_t quantizedPackedFloats(const QuantizedShape& shape, int32_t method);
void quantizedPack(const QuantizedShape& shape, int32_t method, const int8_t* weight, float* packed);
size_t quantizedScratchFloats(const QuantizedShape& shape, int32_t method, int32_t images);
void quantizedForward(const QuantizedShape& shape, int32_t method, int32_t images, const float* x, const float* packed,
                      const QuantizedEpilogue& epilogue, float* y, float* scratch);

}  // namespace rdi::kernels::inline RDI_ISA
