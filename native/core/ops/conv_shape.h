// The check of a convolution's sizes, whatever its numbers are.
#pragma once

#include "core/op.h"
#include "kernels/shapes.h"

namespace rdi {

// Whether kernel, stride and padding are within bounds, give the output's size, and everything fits in memory. Channels
// and groups must have been checked.
bool checkConvShape(NodeSetup& setup, const kernels::ConvShape& shape);

}  // namespace rdi
