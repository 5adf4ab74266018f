// The shapes of operations, plain structs that do not depend on the instruction set: checks make them, and every engine
// reads them.
#pragma once

#include <stdint.h>

namespace rdi::kernels {

struct ConvShape {
  int32_t inChannels, inHeight, inWidth;
  int32_t outChannels, outHeight,
      outWidth;  // outHeight = (inHeight + 2·padding − kernelHeight) / stride + 1, rounded down
  int32_t kernelHeight, kernelWidth;
  int32_t stride;
  int32_t padding;  // the same on all four sides, 0 … min(kernelHeight, kernelWidth) − 1
  // A divisor of both channel counts: the outputs of a group read the inputs of that group alone, and the weights are
  // [outChannels][inChannels / groups][kernelHeight][kernelWidth].
  int32_t groups = 1;
};

struct PoolShape {
  int32_t channels, inHeight, inWidth, outHeight, outWidth;
  int32_t kernel, stride, padding;
};

// x [N,inFeatures], weight [outFeatures,inFeatures], y [N,outFeatures].
struct LinearShape {
  int32_t inFeatures, outFeatures;
};

// How floats become integers of 8 bits: round(x · levels) within −127 … 127 if signed, else 0 … 255.
struct InputLevels {
  float levels;
  int32_t isSigned;
};

// A convolution in integers, without groups; a fully connected layer is one of an image of 1×1.
struct QuantizedShape {
  ConvShape conv;
  InputLevels input;
};

// How an operand of an element-wise operation meets the output's elements.
enum class Operand : int32_t { Bad, Same, ImageScalar, WholeScalar };

struct BinaryOperands {
  Operand a, b;
};

}  // namespace rdi::kernels
