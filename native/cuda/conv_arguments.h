// What the convolution kernels are given.
#pragma once

#include "conv_grid.h"
#include "extent.cuh"

namespace rdi::cuda {

// y = relu(sum + bias + residual), or where the mask is positive (or has a bit of positiveBits).
struct ConvEpilogue {
  const float* bias = nullptr;
  const float* residual = nullptr;
  const float* mask = nullptr;
  const uint32_t* maskBits = nullptr;
  bool relu = false;
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
