// Pooling: a thread makes one output, or one input's gradient from the windows that it lies in.
#pragma once

#include "extent.cuh"
#include "kernels/shapes.h"

namespace rdi::cuda {

struct PoolArguments {
  Images images;
  kernels::PoolShape shape;
  const float* x;   // of the maximum and its gradient
  const float* dy;  // of gradients
  float* y;
};

struct PoolPlace {
  int64_t image;
  int32_t y, x, channel;
};

RDI_DEVICE PoolPlace poolPlace(int64_t i, int32_t height, int32_t width, int32_t channels) {
  const int64_t pixel = i / channels;
  return {pixel / (height * width), int32_t(pixel / width % height), int32_t(pixel % width), int32_t(i % channels)};
}

RDI_DEVICE int64_t poolInput(const kernels::PoolShape& s, int64_t image, int32_t y, int32_t x, int32_t channel) {
  return ((image * s.inHeight + y) * s.inWidth + x) * s.channels + channel;
}

// Calls visit(y, x) for the pixels of a window that lie inside the image.
template <class Visit>
RDI_DEVICE void forEachOfWindow(const kernels::PoolShape& s, int32_t outY, int32_t outX, Visit visit) {
  const int32_t top = outY * s.stride - s.padding, left = outX * s.stride - s.padding;
  for (int32_t y = top < 0 ? 0 : top; y < top + s.kernel && y < s.inHeight; y++) {
    for (int32_t x = left < 0 ? 0 : left; x < left + s.kernel && x < s.inWidth; x++) visit(y, x);
  }
}

// Calls visit(outY, outX) for the windows that a pixel lies in.
template <class Visit>
RDI_DEVICE void forEachWindowOf(const kernels::PoolShape& s, int32_t y, int32_t x, Visit visit) {
  const auto first = [&](int32_t at) {
    const int32_t reach = at + s.padding - s.kernel;  // the last place that a window does not come from
    return reach < 0 ? 0 : reach / s.stride + 1;
  };
  for (int32_t outY = first(y); outY < s.outHeight && outY * s.stride - s.padding <= y; outY++) {
    for (int32_t outX = first(x); outX < s.outWidth && outX * s.stride - s.padding <= x; outX++) visit(outY, outX);
  }
}

// The first maximum of a window, or its last NaN if there is one.
RDI_DEVICE int64_t maximumOf(const PoolArguments& p, int64_t image, int32_t outY, int32_t outX, int32_t channel) {
  int64_t best = -1;
  forEachOfWindow(p.shape, outY, outX, [&](int32_t y, int32_t x) {
    const int64_t at = poolInput(p.shape, image, y, x, channel);
    if (best < 0 || p.x[at] > p.x[best] || p.x[at] != p.x[at]) best = at;
  });
  return best;
}

RDI_DEVICE int64_t poolOutput(const kernels::PoolShape& s, int64_t image, int32_t y, int32_t x, int32_t channel) {
  return ((image * s.outHeight + y) * s.outWidth + x) * s.channels + channel;
}

RDI_KERNEL void maxPoolKernel(PoolArguments p) {
  const kernels::PoolShape& s = p.shape;
  forEachIndex(countOf({p.images, int64_t(s.outHeight) * s.outWidth * s.channels}), [&](int64_t i) {
    const PoolPlace at = poolPlace(i, s.outHeight, s.outWidth, s.channels);
    p.y[i] = p.x[maximumOf(p, at.image, at.y, at.x, at.channel)];
  });
}

RDI_KERNEL void maxPoolGradKernel(PoolArguments p) {
  const kernels::PoolShape& s = p.shape;
  forEachIndex(countOf({p.images, int64_t(s.inHeight) * s.inWidth * s.channels}), [&](int64_t i) {
    const PoolPlace at = poolPlace(i, s.inHeight, s.inWidth, s.channels);
    float sum = 0;
    forEachWindowOf(s, at.y, at.x, [&](int32_t outY, int32_t outX) {
      if (maximumOf(p, at.image, outY, outX, at.channel) == i) {
        sum += p.dy[poolOutput(s, at.image, outY, outX, at.channel)];
      }
    });
    p.y[i] = sum;
  });
}

RDI_KERNEL void avgPoolKernel(PoolArguments p) {
  const kernels::PoolShape& s = p.shape;
  const float scale = 1.0f / float(s.kernel * s.kernel);
  forEachIndex(countOf({p.images, int64_t(s.outHeight) * s.outWidth * s.channels}), [&](int64_t i) {
    const PoolPlace at = poolPlace(i, s.outHeight, s.outWidth, s.channels);
    float sum = 0;
    forEachOfWindow(s, at.y, at.x, [&](int32_t y, int32_t x) { sum += p.x[poolInput(s, at.image, y, x, at.channel)]; });
    p.y[i] = sum * scale;
  });
}

RDI_KERNEL void avgPoolGradKernel(PoolArguments p) {
  const kernels::PoolShape& s = p.shape;
  const float scale = 1.0f / float(s.kernel * s.kernel);
  forEachIndex(countOf({p.images, int64_t(s.inHeight) * s.inWidth * s.channels}), [&](int64_t i) {
    const PoolPlace at = poolPlace(i, s.inHeight, s.inWidth, s.channels);
    float sum = 0;
    forEachWindowOf(s, at.y, at.x, [&](int32_t outY, int32_t outX) {
      sum += p.dy[poolOutput(s, at.image, outY, outX, at.channel)] * scale;
    });
    p.y[i] = sum;
  });
}

}  // namespace rdi::cuda
