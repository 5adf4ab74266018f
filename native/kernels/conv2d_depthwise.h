// What the depthwise passes share. Vectors hold neighbouring channels; a block of channels at a time, as many as fill a
// cache line, is copied with its borders into a dense strip of rows that stays in the first-level cache.
#pragma once

#include "conv2d_internal.h"

namespace rdi::kernels::inline RDI_ISA {

// A cache line.
inline constexpr int blockChannels = 16;
inline constexpr int blockVectors = blockChannels / VL;

// One dimension of a depthwise product: result j meets the `taps` inputs from start + j · stride on. Those that are not
// among 0 … size − 1 are zeros.
struct Axis {
  int32_t size, start, stride, taps, results;
  // Inputs that `count` neighbouring results meet.
  RDI_INLINE int32_t reach(int32_t count) const { return (count - 1) * stride + taps; }
};

RDI_INLINE Axis forwardRows(const ConvShape& s) {
  return {s.inHeight, -s.padding, s.stride, s.kernelHeight, s.outHeight};
}
RDI_INLINE Axis forwardColumns(const ConvShape& s) {
  return {s.inWidth, -s.padding, s.stride, s.kernelWidth, s.outWidth};
}

// Result rows whose inputs, of `width` pixels a row, fit into a strip; at least one.
RDI_INLINE int32_t stripRows(const Axis& rows, int32_t width) {
  constexpr int32_t budget = 6 * 1024;  // floats
  const int32_t fitting = (budget / (width * blockChannels) - rows.taps) / rows.stride + 1;
  return fitting < 1 ? 1 : fitting < rows.results ? fitting : rows.results;
}

RDI_INLINE size_t stripFloats(const Axis& rows, int32_t width) {
  return alignFloats(size_t(rows.reach(stripRows(rows, width))) * width * blockChannels);
}

// Copies what `count` rows of results from row `first` on meet of one block into [row][column][blockChannels], `width`
// columns of them. `x` is the block's first channel in an image of `channels`; `lanes` channels are left there.
void gatherStrip(const Axis& rows, const Axis& columns, int32_t first, int32_t count, int32_t width, const float* x,
                 int32_t channels, int32_t lanes, float* strip);

// [block][kh][kw][blockChannels].
RDI_INLINE size_t depthwiseFloats(int32_t channels, int32_t taps) {
  return size_t(ceilDiv(channels, blockChannels)) * taps * blockChannels;
}

}  // namespace rdi::kernels::inline RDI_ISA
