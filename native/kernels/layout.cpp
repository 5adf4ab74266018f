#include "layout.h"

#include <stddef.h>

#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// y[column][row] = x[row][column].
void transpose(const float* x, float* y, size_t rows, size_t columns) {
  if (rows == 1 || columns == 1) {
    __builtin_memcpy(y, x, rows * columns * sizeof(float));
    return;
  }
  transposeMatrix(x, rows, columns, columns, y, rows);
}

}  // namespace

void nchwToNhwc(const float* x, float* y, int32_t channels, int32_t height, int32_t width) {
  transpose(x, y, size_t(channels), size_t(height) * width);
}

void nhwcToNchw(const float* x, float* y, int32_t channels, int32_t height, int32_t width) {
  transpose(x, y, size_t(height) * width, size_t(channels));
}

}  // namespace rdi::kernels::inline RDI_ISA
