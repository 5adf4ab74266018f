// What the convolution kernels are given.
#pragma once

#include "conv_grid.h"

namespace rdi::cuda {

// How many images there are: as many as were counted on the device, if there is a count.
struct Images {
  int32_t most;
  const int32_t* counted;
};

// y = relu(sum + bias + residual), or where mask > 0.
struct ConvEpilogue {
  const float* bias;
  const float* residual;
  const float* mask;
  bool relu;
};

struct ConvArguments {
  Images images;
  ConvGrid grid;
  const float* x;
  const float* weights;  // packed: see conv_pack.cuh
  ConvEpilogue epilogue;
  float* y;
};

}  // namespace rdi::cuda
