// What the convolution kernels share on the device.
#pragma once

#include "conv_arguments.h"
#include "runtime.h"

namespace rdi::cuda {

// Where an output pixel is: the image, and its place in the grid.
struct GridPixel {
  int32_t image, row, column;
};

RDI_DEVICE GridPixel gridPixel(const ConvGrid& g, int32_t index) {
  const int32_t pixels = g.rows * g.columns, image = index / pixels, inside = index - image * pixels;
  return {image, inside / g.columns, inside % g.columns};
}

// The first float of an output pixel.
RDI_DEVICE size_t outputOffset(const ConvGrid& g, const GridPixel& p) {
  const int32_t y = g.outY + p.row * g.outStep, x = g.outX + p.column * g.outStep;
  return ((size_t(p.image) * g.outHeight + y) * g.outWidth + x) * (g.groups * g.width);
}

RDI_DEVICE bool masked(const ConvEpilogue& e, size_t place) {
  if (e.maskBits) return !bitAt(e.maskBits, int64_t(place));
  return e.mask && !(e.mask[place] > 0);
}

RDI_DEVICE float finish(const ConvEpilogue& e, float sum, size_t place, int32_t channel) {
  if (e.bias) sum += e.bias[channel];
  if (e.residual) sum += e.residual[place];
  // NaN stays NaN.
  if (e.relu && sum < 0) sum = 0;
  return masked(e, place) ? 0 : sum;
}

// The same for two channels, which inPairs() allows.
RDI_DEVICE float2 finish(const ConvEpilogue& e, float2 sum, size_t place, int32_t channel) {
  const auto pair = [](const float* p) { return *reinterpret_cast<const float2*>(p); };
  if (e.bias) {
    sum.x += e.bias[channel];
    sum.y += e.bias[channel + 1];
  }
  if (e.residual) {
    const float2 residual = pair(e.residual + place);
    sum.x += residual.x;
    sum.y += residual.y;
  }
  if (e.relu && sum.x < 0) sum.x = 0;
  if (e.relu && sum.y < 0) sum.y = 0;
  if (e.mask) {
    const float2 mask = pair(e.mask + place);
    if (!(mask.x > 0)) sum.x = 0;
    if (!(mask.y > 0)) sum.y = 0;
  } else if (e.maskBits) {
    if (!bitAt(e.maskBits, int64_t(place))) sum.x = 0;
    if (!bitAt(e.maskBits, int64_t(place) + 1)) sum.y = 0;
  }
  return sum;
}

// Whether the two channels from an even one on lie together, 8-byte aligned.
RDI_DEVICE bool inPairs(const ConvGrid& g) { return g.width % 2 == 0; }

}  // namespace rdi::cuda
