// Pooling over dense NHWC images. Padding is at most kernel / 2: a maximum ignores it, an average counts it as zeros
// (PyTorch's default, count_include_pad). No result may overlap an input.
#pragma once

#include <stdint.h>

#include "isa.h"
#include "shapes.h"

namespace rdi::kernels::inline RDI_ISA {

void maxPool2d(const PoolShape& shape, int32_t images, const float* x, float* y);

// dx from dy and the forward input x. Of equal maxima the first in row-major order takes the gradient; where windows
// overlap, the gradients add up.
void maxPool2dGrad(const PoolShape& shape, int32_t images, const float* dy, const float* x, float* dx);

void avgPool2d(const PoolShape& shape, int32_t images, const float* x, float* y);
void avgPool2dGrad(const PoolShape& shape, int32_t images, const float* dy, float* dx);

}  // namespace rdi::kernels::inline RDI_ISA
