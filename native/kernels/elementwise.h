// Element-wise kernels, sums, and per-channel operations. A result may be exactly one of its inputs (in place); partial
// overlap is not allowed. `n` counts floats.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"

namespace rdi::kernels::inline RDI_ISA {

// Sign(0) = 0, and NaN stays NaN. Exp and Log are within 2 ulp; Rsqrt is 1 / sqrt(x).
enum class UnaryOp : int32_t { Relu, Neg, Exp, Log, Sqrt, Rsqrt, Abs, Sign };
void unary(UnaryOp op, const float* x, float* y, size_t n);

// Greater gives 1 or 0. ReluGrad(dy, y) = dy where y > 0, else 0. Minimum and Maximum give NaN if either operand is
// NaN.
enum class BinaryOp : int32_t { Add, Sub, Mul, Div, Minimum, Maximum, Greater, ReluGrad };
void binary(BinaryOp op, const float* a, const float* b, float* y, size_t n);
// One operand is a scalar.
void binaryScalarRight(BinaryOp op, const float* a, float b, float* y, size_t n);
void binaryScalarLeft(BinaryOp op, float a, const float* b, float* y, size_t n);
// One operand has one value an image; `n` counts floats an image.
void binaryImageRight(BinaryOp op, const float* a, const float* b, float* y, int32_t images, size_t n);
void binaryImageLeft(BinaryOp op, const float* a, const float* b, float* y, int32_t images, size_t n);

// One bit an element, the lowest of a word first, set where it is positive; `n` is a multiple of 32. And dy where the
// bit is set, else 0.
void positiveBits(const float* x, uint32_t* bits, size_t n);
void keepWhereSet(const float* dy, const uint32_t* bits, float* dx, size_t n);

void affine(const float* x, float scale, float shift, float* y, size_t n);
// NaN stays NaN.
void clamp(const float* x, float low, float high, float* y, size_t n);

// y[image] = condition[image] != 0 ? a[image] : b[image], rows of n floats.
void selectRows(const float* condition, const float* a, const float* b, float* y, int32_t images, size_t n);
// y[i] = value.
void fill(float* y, float value, size_t n);
// y[image][*] = values[image], rows of n floats.
void expandRows(const float* values, float* y, int32_t images, size_t n);
// sums[image] = Σ x[image][*], rows of n floats.
void sumRows(const float* x, float* sums, int32_t images, size_t n);
// y[i] = Σ_j inputs[j][i], in the order of j.
void sumBuffers(const float* const* inputs, int32_t count, float* y, size_t n);

// Rows of `channels` floats (the pixels of NHWC images, or the images of a [N,C] matrix).
void channelAffine(const float* x, const float* scale, const float* shift, float* y, size_t rows, int32_t channels);
// accumulator[c] += Σ_rows x[row][c].
void channelSumAccumulate(const float* x, float* accumulator, size_t rows, int32_t channels);
// y[row][i] = x[row][i] · scale[row], rows of n floats.
void scaleRows(const float* x, const float* scale, float* y, int32_t rows, size_t n);

}  // namespace rdi::kernels::inline RDI_ISA
