// Changes between one image's NCHW and NHWC layouts. Buffers must not overlap.
#pragma once

#include <stdint.h>

#include "isa.h"

namespace rdi::kernels::inline RDI_ISA {

void nchwToNhwc(const float* x, float* y, int32_t channels, int32_t height, int32_t width);
void nhwcToNchw(const float* x, float* y, int32_t channels, int32_t height, int32_t width);

}  // namespace rdi::kernels::inline RDI_ISA
