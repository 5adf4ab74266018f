// What a matrix-like kernel does with its result before it stores it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"

namespace rdi::kernels::inline RDI_ISA {

// Applied in this order, each part only where its pointer is set:
//   result += bias[channel];  result += residual[same place];  result = max(result, 0) if relu;
//   result = 0 where reluMask[same place] <= 0, or bit [same place] of reluBits is not set.
// residual and reluMask have the shape and layout of the result; either may be the result's own buffer. reluMask is the
// output of the forward ReLU that the gradient passes back through.
struct Epilogue {
  const float* bias = nullptr;
  const float* residual = nullptr;
  const float* reluMask = nullptr;
  // positiveBits() of the mask, instead of it; only where results have a multiple of 16 channels.
  const uint8_t* reluBits = nullptr;
  bool relu = false;
};

// The same epilogue for what starts `offset` floats further into the result, from its channel `channel` on.
RDI_INLINE Epilogue shifted(Epilogue e, size_t offset, int32_t channel = 0) {
  if (e.bias) e.bias += channel;
  if (e.residual) e.residual += offset;
  if (e.reluMask) e.reluMask += offset;
  if (e.reluBits) e.reluBits += offset / 8;
  return e;
}

}  // namespace rdi::kernels::inline RDI_ISA
