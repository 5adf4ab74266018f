// Weights [O,C/groups,K,K] as the convolution kernels read them. `grouped`: [group][tap][depth][width rounded up to
// columnStep], zeros beyond the width; else [tap][depth][all output channels]. `depth` is what a pass sums over,
// `width` what it makes.
#pragma once

#include "conv_device.cuh"

namespace rdi::cuda {

constexpr int32_t columnStep = 16;
inline int32_t paddedWidth(int32_t width) { return (width + columnStep - 1) / columnStep * columnStep; }

struct PackArguments {
  const float* weights;
  float* packed;
  int32_t groups, taps, depth, width;
  int32_t step;  // from one row of the packed weights to the next
  bool grouped;
  bool transposed;  // for the input gradient: width is the weights' second dimension
  int32_t total;    // of the packed floats
};

RDI_KERNEL void packWeightsKernel(PackArguments a) {
  for (int32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < a.total; i += gridDim.x * blockDim.x) {
    int32_t column = i % a.step, row = i / a.step, group;
    if (a.grouped) {
      group = row / (a.taps * a.depth);
      row -= group * a.taps * a.depth;
    } else {
      group = column / a.width;
      column -= group * a.width;
    }
    const int32_t tap = row / a.depth, depth = row % a.depth;
    const int32_t outer = a.transposed ? group * a.depth + depth : group * a.width + column;
    const int32_t inner = a.transposed ? column : depth, inners = a.transposed ? a.width : a.depth;
    a.packed[i] = column < a.width ? a.weights[(size_t(outer) * inners + inner) * a.taps + tap] : 0;
  }
}

}  // namespace rdi::cuda
