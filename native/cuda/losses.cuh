// Softmax and what is made of it: a thread takes a row of logits. All are shifted by the row's maximum.
#pragma once

#include "extent.cuh"

namespace rdi::cuda {

// The first thing that went wrong with the data of a run: the node, counted from 1, and the bad value.
struct Fault {
  int32_t node, value;
};

struct LogitsArguments {
  Images images;
  int32_t classes;
  const float* logits;
  const int32_t* labels;
  const float* ct;  // one an image, of gradients
  bool scaled;      // of the margin
  float* y;
  Fault* fault;
  int32_t node;
};

// Labels are data, and an index: a bad one is the caller's error, told after the run.
RDI_DEVICE bool labelInRange(const LogitsArguments& p, int64_t image) {
  const int32_t label = p.labels[image];
  if (label >= 0 && label < p.classes) return true;
  if (atomicCAS(&p.fault->node, 0, p.node + 1) == 0) p.fault->value = label;
  return false;
}

RDI_DEVICE float rowMaximum(const float* row, int32_t n) {
  float best = row[0];
  for (int32_t i = 1; i < n; i++) best = row[i] > best ? row[i] : best;
  return best;
}

RDI_DEVICE float sumOfExp(const float* row, int32_t n, float max) {
  float sum = 0;
  for (int32_t i = 0; i < n; i++) sum += expf(row[i] - max);
  return sum;
}

struct Softmax {
  static RDI_DEVICE void run(const LogitsArguments& p, int64_t image, const float* row) {
    const float max = rowMaximum(row, p.classes), sum = sumOfExp(row, p.classes, max);
    for (int32_t i = 0; i < p.classes; i++) p.y[image * p.classes + i] = expf(row[i] - max) / sum;
  }
};

struct Entropy {
  static RDI_DEVICE void run(const LogitsArguments& p, int64_t image, const float* row) {
    const float max = rowMaximum(row, p.classes), sum = sumOfExp(row, p.classes, max);
    float total = 0;
    for (int32_t i = 0; i < p.classes; i++) {
      const float probability = expf(row[i] - max) / sum;
      total += probability * logf(probability + 1e-5f);
    }
    p.y[image] = -total;
  }
};

struct Argmax {
  static RDI_DEVICE void run(const LogitsArguments& p, int64_t image, const float* row) {
    int32_t best = 0;
    for (int32_t i = 1; i < p.classes; i++) best = row[i] > row[best] ? i : best;
    reinterpret_cast<int32_t*>(p.y)[image] = best;
  }
};

struct CrossEntropy {
  static RDI_DEVICE void run(const LogitsArguments& p, int64_t image, const float* row) {
    if (!labelInRange(p, image)) return;
    const float max = rowMaximum(row, p.classes);
    p.y[image] = logf(sumOfExp(row, p.classes, max)) + (max - row[p.labels[image]]);
  }
};

struct CrossEntropyGrad {
  static RDI_DEVICE void run(const LogitsArguments& p, int64_t image, const float* row) {
    if (!labelInRange(p, image)) return;
    const float max = rowMaximum(row, p.classes), sum = sumOfExp(row, p.classes, max), ct = p.ct[image];
    for (int32_t i = 0; i < p.classes; i++) {
      const float hit = i == p.labels[image] ? 1 : 0;
      p.y[image * p.classes + i] = ct * (expf(row[i] - max) / sum - hit);
    }
  }
};

struct UniformCrossEntropy {
  static RDI_DEVICE void run(const LogitsArguments& p, int64_t image, const float* row) {
    const float max = rowMaximum(row, p.classes);
    float below = 0;
    for (int32_t i = 0; i < p.classes; i++) below += max - row[i];
    p.y[image] = logf(sumOfExp(row, p.classes, max)) + below / float(p.classes);
  }
};

// Of one row of logits: the largest three, and the largest but for the label's.
struct Ranking {
  int32_t first, second, third, other;
  float spread;  // what the margin is divided by
};

RDI_DEVICE Ranking rankOf(const LogitsArguments& p, const float* row, int32_t label) {
  Ranking r = {-1, -1, -1, -1, 1};
  for (int32_t i = 0; i < p.classes; i++) {
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
  if (p.scaled) r.spread = row[r.first] - row[r.third] + 1e-12f;
  return r;
}

struct Margin {
  static RDI_DEVICE void run(const LogitsArguments& p, int64_t image, const float* row) {
    if (!labelInRange(p, image)) return;
    const int32_t label = p.labels[image];
    const Ranking r = rankOf(p, row, label);
    p.y[image] = (row[r.other] - row[label]) / r.spread;
  }
};

struct MarginGrad {
  static RDI_DEVICE void run(const LogitsArguments& p, int64_t image, const float* row) {
    if (!labelInRange(p, image)) return;
    const int32_t label = p.labels[image];
    const Ranking r = rankOf(p, row, label);
    const float scale = p.ct[image] / r.spread, ratio = scale * (row[r.other] - row[label]) / r.spread;
    for (int32_t i = 0; i < p.classes; i++) {
      float sum = 0;
      if (i == r.other) sum += scale;
      if (i == label) sum -= scale;
      if (p.scaled && i == r.first) sum -= ratio;
      if (p.scaled && i == r.third) sum += ratio;
      p.y[image * p.classes + i] = sum;
    }
  }
};

template <class F>
RDI_KERNEL void logitsKernel(LogitsArguments p) {
  forEachIndex(countOf({p.images, 1}), [&](int64_t image) { F::run(p, image, p.logits + image * p.classes); });
}

}  // namespace rdi::cuda
