#include "losses.h"

#include "vector_math.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

constexpr float minusInfinity = -__builtin_inff();

float maximum(const float* row, size_t n) {
  vf best = broadcast(minusInfinity);
  for (size_t i = 0; i < n; i += VL) best = atLeast(best, loadLanes(row + i, n - i, minusInfinity));
  return maxLanes(best);
}

// exp(row[i] − max), with zeros beyond the row's end.
RDI_INLINE vf shiftedExp(const float* row, size_t n, size_t i, float max) {
  return vectorExp(loadLanes(row + i, n - i, minusInfinity) - max);
}

float sumOfExp(const float* row, size_t n, float max) {
  vf sum = zero();
  for (size_t i = 0; i < n; i += VL) sum += shiftedExp(row, n, i, max);
  return sumLanes(sum);
}

void softmaxRow(const float* row, float* probabilities, size_t n) {
  const float max = maximum(row, n);
  const float sum = sumOfExp(row, n, max);
  for (size_t i = 0; i < n; i += VL) storeLanes(probabilities + i, shiftedExp(row, n, i, max) / sum, n - i);
}

// Of one row of logits: the largest three, and the largest but for the label's.
struct Ranking {
  int32_t first, second, third;
  int32_t other;
  float spread;  // what the margin is divided by
};

Ranking rank(const float* row, int32_t classes, int32_t label, bool scaled) {
  Ranking r = {-1, -1, -1, -1, 1};
  for (int32_t i = 0; i < classes; i++) {
    if (r.first < 0 || row[i] > row[r.first]) {
      r.third = r.second;
      r.second = r.first;
      r.first = i;
    } else if (r.second < 0 || row[i] > row[r.second]) {
      r.third = r.second;
      r.second = i;
    } else if (r.third < 0 || row[i] > row[r.third]) {
      r.third = i;
    }
  }
  r.other = r.first == label ? r.second : r.first;
  if (scaled) r.spread = row[r.first] - row[r.third] + 1e-12f;
  return r;
}

}  // namespace

void softmax(const float* logits, float* probabilities, int32_t images, int32_t classes) {
  const size_t n = size_t(classes);
  for (int32_t image = 0; image < images; image++) softmaxRow(logits + image * n, probabilities + image * n, n);
}

void crossEntropy(const float* logits, const int32_t* labels, float* loss, int32_t images, int32_t classes) {
  const size_t n = size_t(classes);
  for (int32_t image = 0; image < images; image++, logits += n) {
    const float max = maximum(logits, n);
    loss[image] = vectorLog(broadcast(sumOfExp(logits, n, max)))[0] + (max - logits[labels[image]]);
  }
}

void crossEntropyGrad(const float* ct, const float* logits, const int32_t* labels, float* dlogits, int32_t images,
                      int32_t classes) {
  const size_t n = size_t(classes);
  for (int32_t image = 0; image < images; image++, logits += n, dlogits += n) {
    softmaxRow(logits, dlogits, n);
    dlogits[labels[image]] -= 1;
    for (size_t i = 0; i < n; i++) dlogits[i] *= ct[image];
  }
}

void uniformCrossEntropy(const float* logits, float* loss, int32_t images, int32_t classes) {
  const size_t n = size_t(classes);
  for (int32_t image = 0; image < images; image++, logits += n) {
    const float max = maximum(logits, n);
    vf below = zero();
    for (size_t i = 0; i < n; i += VL) below += max - loadLanes(logits + i, n - i, max);
    loss[image] = vectorLog(broadcast(sumOfExp(logits, n, max)))[0] + sumLanes(below) / float(classes);
  }
}

void margin(const float* logits, const int32_t* labels, float* loss, int32_t images, int32_t classes, bool scaled) {
  for (int32_t image = 0; image < images; image++, logits += classes) {
    const int32_t label = labels[image];
    const Ranking r = rank(logits, classes, label, scaled);
    loss[image] = (logits[r.other] - logits[label]) / r.spread;
  }
}

void marginGrad(const float* ct, const float* logits, const int32_t* labels, float* dlogits, int32_t images,
                int32_t classes, bool scaled) {
  for (int32_t image = 0; image < images; image++, logits += classes, dlogits += classes) {
    const int32_t label = labels[image];
    const Ranking r = rank(logits, classes, label, scaled);
    const float scale = ct[image] / r.spread;
    for (int32_t i = 0; i < classes; i++) dlogits[i] = 0;
    dlogits[r.other] += scale;
    dlogits[label] -= scale;
    if (!scaled) continue;
    const float ratio = scale * (logits[r.other] - logits[label]) / r.spread;
    dlogits[r.first] -= ratio;
    dlogits[r.third] += ratio;
  }
}

void softmaxEntropy(const float* logits, float* entropy, int32_t images, int32_t classes) {
  const size_t n = size_t(classes);
  for (int32_t image = 0; image < images; image++, logits += n) {
    const float max = maximum(logits, n);
    const float sum = sumOfExp(logits, n, max);
    vf total = zero();
    for (size_t i = 0; i < n; i += VL) {
      const vf p = shiftedExp(logits, n, i, max) / sum;
      total += p * vectorLog(p + 1e-5f);
    }
    entropy[image] = -sumLanes(total);
  }
}

void argmax(const float* logits, int32_t* index, int32_t images, int32_t classes) {
  for (int32_t image = 0; image < images; image++, logits += classes) {
    int32_t best = 0;
    for (int32_t i = 1; i < classes; i++) best = logits[i] > logits[best] ? i : best;
    index[image] = best;
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
