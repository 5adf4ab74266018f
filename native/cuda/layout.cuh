// Changes between the caller's NCHW and the engine's NHWC.
#pragma once

#include "extent.cuh"

namespace rdi::cuda {

struct LayoutArguments {
  Images images;
  int32_t channels;
  int64_t pixels;  // of an image
  const float* x;
  float* y;
};

// Neighbouring threads write neighbouring places.
RDI_KERNEL void nchwToNhwcKernel(LayoutArguments p) {
  const int64_t elements = p.channels * p.pixels;
  forEachIndex(countOf({p.images, elements}), [&](int64_t i) {
    const int64_t image = i / elements, inside = i % elements;
    p.y[i] = p.x[image * elements + inside % p.channels * p.pixels + inside / p.channels];
  });
}

RDI_KERNEL void nhwcToNchwKernel(LayoutArguments p) {
  const int64_t elements = p.channels * p.pixels;
  forEachIndex(countOf({p.images, elements}), [&](int64_t i) {
    const int64_t image = i / elements, inside = i % elements;
    p.y[i] = p.x[image * elements + inside % p.pixels * p.channels + inside / p.pixels];
  });
}

struct CopyArguments {
  Extent extent;
  const float* x;
  float* y;
};

// Of any type of 4 bytes.
RDI_KERNEL void copyKernel(CopyArguments p) {
  forEachIndex(countOf(p.extent),
               [&](int64_t i) { reinterpret_cast<uint32_t*>(p.y)[i] = reinterpret_cast<const uint32_t*>(p.x)[i]; });
}

}  // namespace rdi::cuda
