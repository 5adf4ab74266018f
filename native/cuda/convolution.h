// Convolutions of any shape, whose kernels are chosen here; fully connected layers are convolutions of one pixel.
#pragma once

#include "kernel.h"
#include "kernels/shapes.h"

namespace rdi::cuda {

enum class ConvPass { Forward, InputGrad };

// How a pass wants its weights.
size_t packedFloats(const kernels::ConvShape& shape, ConvPass pass);
void packWeights(const NodeRun& run, const kernels::ConvShape& shape, ConvPass pass, float* packed);

// y = epilogue(convolution of x), or the input gradient of it, with the node's packed weights. `exact`: in 32-bit
// floats.
void convolve(const NodeRun& run, const kernels::ConvShape& shape, ConvPass pass, const float* x,
              const ConvEpilogue& epilogue, bool exact, float* y);

size_t weightGradScratchFloats(const kernels::ConvShape& shape, const Device& device, int32_t images);
// accumulator [O,C/groups,K,K] += weight gradient of the images.
void accumulateWeightGrad(const NodeRun& run, const kernels::ConvShape& shape, const float* x, const float* dy,
                          bool exact);
// Copies the accumulator to the output.
void finishWeightGrad(const NodeRun& run);

}  // namespace rdi::cuda
