// Convolution with few channels a group: every thread makes one output number, or four neighbouring channels of a
// pixel.
#pragma once

#include "conv_pack.cuh"

namespace rdi::cuda {

// Calls visit(input offset, row of the packed weights) for the taps of an output pixel that lie inside the image.
template <class Visit>
RDI_DEVICE void forEachTap(const ConvGrid& g, const GridPixel& p, Visit visit) {
  const int32_t inChannels = g.groups * g.depth;
  for (int32_t tapY = 0; tapY < g.tapsDown; tapY++) {
    const int32_t y = g.offsetY + p.row * g.inStep + g.direction * tapY;
    if (y < 0 || y >= g.inHeight) continue;
    for (int32_t tapX = 0; tapX < g.tapsAcross; tapX++) {
      const int32_t x = g.offsetX + p.column * g.inStep + g.direction * tapX;
      if (x < 0 || x >= g.inWidth) continue;
      const int32_t tap = (g.kernelY + tapY * g.kernelStep) * g.kernelWidth + g.kernelX + tapX * g.kernelStep;
      visit(((size_t(p.image) * g.inHeight + y) * g.inWidth + x) * inChannels, size_t(tap) * g.depth);
    }
  }
}

RDI_KERNEL void convDirect(ConvArguments a) {
  const ConvGrid& g = a.grid;
  const int32_t outChannels = g.groups * g.width;
  const int64_t total = int64_t(imagesNow(a.images)) * g.rows * g.columns * outChannels;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < total; i += int64_t(gridDim.x) * blockDim.x) {
    const int32_t pixel = int32_t(i / outChannels), channel = int32_t(i % outChannels), group = channel / g.width;
    const GridPixel p = gridPixel(g, pixel);
    float sum = 0;
    forEachTap(g, p, [&](size_t in, size_t row) {
      const float* x = a.x + in + group * g.depth;
      const float* w = a.weights + row * outChannels + channel;
      for (int32_t k = 0; k < g.depth; k++) sum += x[k] * w[size_t(k) * outChannels];
    });
    const size_t place = outputOffset(g, p) + channel;
    a.y[place] = finish(a.epilogue, sum, place, channel);
  }
}

// One group, and a number of output channels that 4 divides.
RDI_KERNEL void convDirect4(ConvArguments a) {
  const ConvGrid& g = a.grid;
  const int32_t vectors = g.width / 4;
  const int64_t total = int64_t(imagesNow(a.images)) * g.rows * g.columns * vectors;
  for (int64_t i = int64_t(blockIdx.x) * blockDim.x + threadIdx.x; i < total; i += int64_t(gridDim.x) * blockDim.x) {
    const int32_t pixel = int32_t(i / vectors), channel = int32_t(i % vectors) * 4;
    const GridPixel p = gridPixel(g, pixel);
    float4 sum = make_float4(0, 0, 0, 0);
    forEachTap(g, p, [&](size_t in, size_t row) {
      const float* w = a.weights + row * g.width + channel;
      for (int32_t k = 0; k < g.depth; k++) {
        const float x = a.x[in + k];
        const float4 y = *reinterpret_cast<const float4*>(w + size_t(k) * g.width);
        sum.x += x * y.x;
        sum.y += x * y.y;
        sum.z += x * y.z;
        sum.w += x * y.w;
      }
    });
    const size_t place = outputOffset(g, p) + channel;
    const float2 left = finish(a.epilogue, make_float2(sum.x, sum.y), place, channel);
    const float2 right = finish(a.epilogue, make_float2(sum.z, sum.w), place + 2, channel + 2);
    *reinterpret_cast<float4*>(a.y + place) = make_float4(left.x, left.y, right.x, right.y);
  }
}

}  // namespace rdi::cuda
