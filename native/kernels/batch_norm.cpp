#include "batch_norm.h"

#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// Rows that are read twice while they are in the first-level cache.
constexpr size_t blockFloats = 4096;

// Calls visit(channel, lanes) for each vector of channels.
template <class Visit>
RDI_INLINE void forEachVector(int32_t channels, Visit visit) {
  const size_t n = size_t(channels);
  for (size_t c = 0; c < n; c += VL) visit(c, n - c);
}

RDI_INLINE float inverseDeviation(float variance, float eps) { return 1.0f / __builtin_sqrtf(variance + eps); }

// Mean and sum of squared deviations of one vector of channels over the rows of a block.
struct BlockMoments {
  vf mean, squares;
};

RDI_INLINE BlockMoments blockMoments(const float* x, size_t rows, size_t step, size_t lanes) {
  vf even = zero(), odd = zero();
  const float* p = x;
  size_t row = 0;
  for (; row + 2 <= rows; row += 2, p += 2 * step) {
    even += loadLanes(p, lanes);
    odd += loadLanes(p + step, lanes);
  }
  if (row < rows) even += loadLanes(p, lanes);
  const vf mean = (even + odd) * (1.0f / float(rows));
  even = odd = zero();
  p = x;
  for (row = 0; row + 2 <= rows; row += 2, p += 2 * step) {
    const vf a = loadLanes(p, lanes) - mean, b = loadLanes(p + step, lanes) - mean;
    even = madd(a, a, even);
    odd = madd(b, b, odd);
  }
  if (row < rows) {
    const vf a = loadLanes(p, lanes) - mean;
    even = madd(a, a, even);
  }
  return {mean, even + odd};
}

// Adds a set of `count` values to one of `before`: mean and squares of a channel vector, in place.
RDI_INLINE void combine(float before, float count, const BlockMoments& added, vf& mean, vf& squares) {
  const float share = count / (before + count);
  const vf delta = added.mean - mean;
  mean += delta * share;
  squares += added.squares + delta * delta * (before * share);
}

}  // namespace

size_t momentsAccumulatorFloats(int32_t channels) { return alignFloats(1) + 2 * alignFloats(size_t(channels)); }

void momentsAccumulate(const float* x, float* accumulator, size_t rows, int32_t channels) {
  const size_t step = size_t(channels);
  float* means = accumulator + alignFloats(1);
  float* squares = means + alignFloats(step);
  size_t block = blockFloats / step;
  block = block < 1 ? 1 : block;
  for (size_t first = 0; first < rows; first += block, x += block * step) {
    const size_t count = rows - first < block ? rows - first : block;
    const float before = *accumulator;
    forEachVector(channels, [&](size_t c, size_t lanes) {
      const BlockMoments added = blockMoments(x + c, count, step, lanes);
      vf mean = load(means + c), sum = load(squares + c);
      combine(before, float(count), added, mean, sum);
      store(means + c, mean);
      store(squares + c, sum);
    });
    *accumulator += float(count);
  }
}

void momentsFinish(const float* const* accumulators, int32_t count, float* moments, int32_t channels) {
  const size_t n = size_t(channels);
  forEachVector(channels, [&](size_t c, size_t lanes) {
    vf mean = zero(), squares = zero();
    float rows = 0;
    for (int32_t i = 0; i < count; i++) {
      const float* means = accumulators[i] + alignFloats(1);
      const float own = *accumulators[i];
      combine(rows, own, {load(means + c), load(means + alignFloats(n) + c)}, mean, squares);
      rows += own;
    }
    storeLanes(moments + c, mean, lanes);
    storeLanes(moments + n + c, squares * (1.0f / rows), lanes);
    storeLanes(moments + 2 * n + c, squares * (1.0f / (rows > 1 ? rows - 1 : 1)), lanes);
  });
}

void batchNorm(const float* x, const float* moments, const float* weight, const float* bias, float eps,
               const BatchNormEpilogue& epilogue, float* y, size_t rows, int32_t channels, float* scratch) {
  const size_t n = size_t(channels);
  const float* const residual = epilogue.residual;
  const bool relu = epilogue.relu;
  float* scale = scratch;
  float* shift = scratch + n;
  for (size_t c = 0; c < n; c++) {
    scale[c] = weight[c] * inverseDeviation(moments[n + c], eps);
    shift[c] = bias[c] - moments[c] * scale[c];
  }
  for (size_t row = 0; row < rows; row++) {
    const size_t at = row * n;
    forEachVector(channels, [&](size_t c, size_t lanes) {
      vf v = madd(loadLanes(x + at + c, lanes), loadLanes(scale + c, lanes), loadLanes(shift + c, lanes));
      if (residual) v += loadLanes(residual + at + c, lanes);
      if (relu) v = kernels::relu(v);
      storeLanes(y + at + c, v, lanes);
    });
  }
}

size_t normGradAccumulatorFloats(int32_t channels) { return 2 * alignFloats(size_t(channels)); }

void normGradAccumulate(const float* dy, const float* x, const float* moments, float* accumulator, size_t rows,
                        int32_t channels) {
  const size_t step = size_t(channels);
  float* products = accumulator + alignFloats(step);
  forEachVector(channels, [&](size_t c, size_t lanes) {
    const vf mean = loadLanes(moments + c, lanes);
    vf sum = zero(), product = zero();
    const float *a = dy + c, *b = x + c;
    for (size_t row = 0; row < rows; row++, a += step, b += step) {
      const vf gradient = loadLanes(a, lanes);
      sum += gradient;
      product = madd(gradient, loadLanes(b, lanes) - mean, product);
    }
    store(accumulator + c, load(accumulator + c) + sum);
    store(products + c, load(products + c) + product);
  });
}

void normGradFinish(const float* const* accumulators, int32_t count, const float* moments, float eps, float* sums,
                    int32_t channels) {
  const size_t n = size_t(channels);
  for (size_t c = 0; c < n; c++) {
    float sum = 0, product = 0;
    for (int32_t i = 0; i < count; i++) {
      sum += accumulators[i][c];
      product += accumulators[i][alignFloats(n) + c];
    }
    sums[c] = sum;
    sums[n + c] = product * inverseDeviation(moments[n + c], eps);
  }
}

// With s = weight / deviation: dx = s · (dy − Σ dy / count) − s · Σ dy·x̂ / (count · deviation) · (x − mean).
void batchNormInputGrad(const float* dy, const float* x, const float* moments, const float* weight, const float* sums,
                        float eps, float count, float* dx, size_t rows, int32_t channels, float* scratch) {
  const size_t n = size_t(channels);
  float* scale = scratch;
  float* average = scratch + n;
  float* slope = scratch + 2 * n;
  for (size_t c = 0; c < n; c++) {
    const float inverse = inverseDeviation(moments[n + c], eps);
    scale[c] = weight[c] * inverse;
    average[c] = sums[c] / count;
    slope[c] = inverse * sums[n + c] / count;
  }
  for (size_t row = 0; row < rows; row++) {
    const size_t at = row * n;
    forEachVector(channels, [&](size_t c, size_t lanes) {
      const vf deviation = loadLanes(x + at + c, lanes) - loadLanes(moments + c, lanes);
      const vf gradient = loadLanes(dy + at + c, lanes) - loadLanes(average + c, lanes);
      storeLanes(dx + at + c, loadLanes(scale + c, lanes) * (gradient - deviation * loadLanes(slope + c, lanes)),
                 lanes);
    });
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
