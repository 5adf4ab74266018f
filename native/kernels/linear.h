// Fully connected layers: y[M,O] = x[M,K]·Wᵀ, with PyTorch's weight layout [O,K]. All matrices are dense and row-major.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "epilogue.h"
#include "shapes.h"
#include "share.h"

namespace rdi::kernels::inline RDI_ISA {

// y = epilogue(x·Wᵀ), or a share of it; bias has outFeatures elements.
size_t linearPackedFloats(const LinearShape& shape);
void linearPack(const LinearShape& shape, const float* weight, float* packed);
void linearForward(const LinearShape& shape, int32_t images, const float* x, const float* packed,
                   const Epilogue& epilogue, float* y, Share share = {});

// dx = epilogue(dy·W), or a share of it.
size_t linearInputGradPackedFloats(const LinearShape& shape);
void linearInputGradPack(const LinearShape& shape, const float* weight, float* packed);
void linearInputGrad(const LinearShape& shape, int32_t images, const float* dy, const float* packed,
                     const Epilogue& epilogue, float* dx, Share share = {});

// accumulator[O,K] += dyᵀ·x; sum the workers' accumulators with sumBuffers (elementwise.h).
void linearWeightGradAccumulate(const LinearShape& shape, int32_t images, const float* x, const float* dy,
                                float* accumulator);

}  // namespace rdi::kernels::inline RDI_ISA
