// Batch normalisation with the statistics of the batch; the sums behind them are in reduce.cuh.
#pragma once

#include "extent.cuh"

namespace rdi::cuda {

struct NormArguments {
  Extent extent;
  int32_t channels;
  float eps;
  const float* x;
  const float* moments;  // [3][channels]: mean, variance, unbiased variance
  const float* weight;
  const float* bias;
  const float* residual;  // may be null
  bool relu;
  const float* dy;    // of the gradient
  const float* sums;  // [2][channels]: Σ dy, Σ dy·x̂
  float rows;         // that the moments are of
  float* y;
};

RDI_DEVICE float inverseDeviation(float variance, float eps) { return 1.0f / sqrtf(variance + eps); }

RDI_KERNEL void batchNormKernel(NormArguments p) {
  forEachIndex(countOf(p.extent), [&](int64_t i) {
    const int32_t c = int32_t(i % p.channels);
    const float scale = p.weight[c] * inverseDeviation(p.moments[p.channels + c], p.eps);
    float y = p.x[i] * scale + (p.bias[c] - p.moments[c] * scale);
    if (p.residual) y += p.residual[i];
    p.y[i] = p.relu && y < 0 ? 0 : y;
  });
}

// With s = weight / deviation: dx = s · (dy − Σ dy / rows) − s · Σ dy·x̂ / (rows · deviation) · (x − mean).
RDI_KERNEL void batchNormInputGradKernel(NormArguments p) {
  forEachIndex(countOf(p.extent), [&](int64_t i) {
    const int32_t c = int32_t(i % p.channels);
    const float inverse = inverseDeviation(p.moments[p.channels + c], p.eps);
    const float slope = inverse * p.sums[p.channels + c] / p.rows;
    const float gradient = p.dy[i] - p.sums[c] / p.rows;
    p.y[i] = p.weight[c] * inverse * (gradient - (p.x[i] - p.moments[c]) * slope);
  });
}

struct FinishArguments {
  int32_t channels;
  const float* accumulator;
  const float* moments;  // of gradient sums
  float eps;
  float* y;
};

RDI_KERNEL void momentsFinishKernel(FinishArguments p) {
  forEachIndex(p.channels, [&](int64_t c) {
    const float rows = p.accumulator[c], squares = p.accumulator[2 * p.channels + c];
    p.y[c] = p.accumulator[p.channels + c];
    p.y[p.channels + c] = squares / rows;
    p.y[2 * p.channels + c] = squares / (rows > 1 ? rows - 1 : 1);
  });
}

RDI_KERNEL void gradSumsFinishKernel(FinishArguments p) {
  forEachIndex(p.channels, [&](int64_t c) {
    p.y[c] = p.accumulator[c];
    p.y[p.channels + c] = p.accumulator[p.channels + c] * inverseDeviation(p.moments[p.channels + c], p.eps);
  });
}

}  // namespace rdi::cuda
