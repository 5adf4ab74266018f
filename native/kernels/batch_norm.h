// Batch normalisation with the statistics of the batch. Rows of `channels` floats: the pixels of NHWC images, or the
// images of a [N,C] matrix. A result may be exactly one of its inputs.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "isa.h"

namespace rdi::kernels::inline RDI_ISA {

// Moments of every channel in two steps. Each worker adds its rows into an accumulator of its own, which is zero at
// first: count, mean and sum of squared deviations, combined by the formulas of Chan, Golub and LeVeque ("Updating
// formulae and a pairwise algorithm for computing sample variances", 1979), so that a large mean costs no digits.
size_t momentsAccumulatorFloats(int32_t channels);
void momentsAccumulate(const float* x, float* accumulator, size_t rows, int32_t channels);
// moments [3][channels]: mean, variance, unbiased variance.
void momentsFinish(const float* const* accumulators, int32_t count, float* moments, int32_t channels);

// y = (x − mean) / √(variance + eps) · weight + bias (+ residual, then max(0, ·) if relu). Scratch: 2 · channels
// floats.
struct BatchNormEpilogue {
  const float* residual;  // may be null
  bool relu;
};
void batchNorm(const float* x, const float* moments, const float* weight, const float* bias, float eps,
               const BatchNormEpilogue& epilogue, float* y, size_t rows, int32_t channels, float* scratch);

// sums [2][channels]: Σ dy and Σ dy·x̂, in two steps like the moments.
size_t normGradAccumulatorFloats(int32_t channels);
void normGradAccumulate(const float* dy, const float* x, const float* moments, float* accumulator, size_t rows,
                        int32_t channels);
void normGradFinish(const float* const* accumulators, int32_t count, const float* moments, float eps, float* sums,
                    int32_t channels);

// dx = weight / √(variance + eps) · (dy − (Σ dy + x̂ · Σ dy·x̂) / count), `count` the rows of the whole batch. Scratch:
// 3 · channels floats.
void batchNormInputGrad(const float* dy, const float* x, const float* moments, const float* weight, const float* sums,
                        float eps, float count, float* dx, size_t rows, int32_t channels, float* scratch);

}  // namespace rdi::kernels::inline RDI_ISA
