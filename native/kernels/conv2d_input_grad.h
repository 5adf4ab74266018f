// How input gradients with any stride become convolutions of stride 1.
//
// The inputs whose rows leave the same remainder when divided by the stride, and likewise their columns, form a class;
// within a class the same weights meet consecutive outputs, so that its gradient is a convolution of stride 1 over dy,
// and needs no scatter.
#pragma once

#include "conv2d_internal.h"

namespace rdi::kernels::inline RDI_ISA {

// One dimension of a class: inputs first, first + stride, …, and the taps that reach them.
struct Line {
  int32_t first, count;  // inputs
  int32_t tap, taps;     // taps tap, tap + stride, …
  int32_t start;         // input j of the class meets outputs start + j … start + j + taps − 1, the last tap first
};

RDI_INLINE Line line(int32_t remainder, int32_t size, int32_t kernel, int32_t stride, int32_t padding) {
  Line l;
  l.first = remainder;
  l.count = size > remainder ? ceilDiv(size - remainder, stride) : 0;
  l.tap = (remainder + padding) % stride;
  l.taps = kernel > l.tap ? ceilDiv(kernel - l.tap, stride) : 0;
  l.start = (remainder + padding) / stride - (l.taps - 1);
  return l;
}

// Calls visit(rows, columns, packed offset) for each class that has inputs, and returns the floats of all of their
// packed weights, of which each has packedOf(row taps, column taps).
template <class PackedOf, class Visit>
size_t forEachClass(const ConvShape& s, PackedOf packedOf, Visit visit) {
  size_t offset = 0;
  for (int32_t y = 0; y < s.stride; y++) {
    const Line rows = line(y, s.inHeight, s.kernelHeight, s.stride, s.padding);
    for (int32_t x = 0; x < s.stride; x++) {
      const Line columns = line(x, s.inWidth, s.kernelWidth, s.stride, s.padding);
      if (rows.count == 0 || columns.count == 0) continue;
      visit(rows, columns, offset);
      offset += packedOf(rows.taps, columns.taps);
    }
  }
  return offset;
}

}  // namespace rdi::kernels::inline RDI_ISA
