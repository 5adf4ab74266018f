// Input gradient of a direct convolution.
//
// The inputs whose rows leave the same remainder when divided by the stride, and likewise their columns, form a class;
// within a class the same weights meet consecutive outputs, so that its gradient is an implicit matrix product of
// stride 1 over dy, and needs no scatter. With stride 1 there is one class, and this is the convolution of dy with the
// flipped, transposed weights.
#include "conv2d_direct.h"
#include "gemm.h"

namespace rdi::kernels {
namespace {

// One dimension of a class: inputs first, first + stride, …, and the taps that reach them.
struct Line {
  int32_t first, count;  // inputs
  int32_t tap, taps;     // taps tap, tap + stride, …
  int32_t start;         // input j of the class meets outputs start + j … start + j + taps − 1, the last tap first
};

Line line(int32_t remainder, int32_t size, int32_t kernel, int32_t stride, int32_t padding) {
  Line l;
  l.first = remainder;
  l.count = size > remainder ? ceilDiv(size - remainder, stride) : 0;
  l.tap = (remainder + padding) % stride;
  l.taps = kernel > l.tap ? ceilDiv(kernel - l.tap, stride) : 0;
  l.start = (remainder + padding) / stride - (l.taps - 1);
  return l;
}

// Zeros that dy needs before and after it in one dimension, over all classes.
struct Border {
  int32_t before, after;
};

Border border(int32_t size, int32_t outSize, int32_t kernel, int32_t stride, int32_t padding) {
  Border b{0, 0};
  for (int32_t remainder = 0; remainder < stride; remainder++) {
    const Line l = line(remainder, size, kernel, stride, padding);
    if (l.count == 0 || l.taps == 0) continue;
    const int32_t before = -l.start, after = l.start + l.count - 1 + l.taps - outSize;
    b.before = before > b.before ? before : b.before;
    b.after = after > b.after ? after : b.after;
  }
  return b;
}

struct Geometry {
  Border rows, columns;
  int32_t width;  // of dy with its borders
  bool padded;
};

Geometry geometry(const ConvShape& s) {
  Geometry g;
  g.rows = border(s.inHeight, s.outHeight, s.kernelHeight, s.stride, s.padding);
  g.columns = border(s.inWidth, s.outWidth, s.kernelWidth, s.stride, s.padding);
  g.width = g.columns.before + s.outWidth + g.columns.after;
  g.padded = g.rows.before + g.rows.after + g.columns.before + g.columns.after > 0;
  return g;
}

// Calls visit(rows, columns, packed offset) for each class.
template <class Visit>
void forEachClass(const ConvShape& s, Visit visit) {
  size_t offset = 0;
  for (int32_t y = 0; y < s.stride; y++) {
    const Line rows = line(y, s.inHeight, s.kernelHeight, s.stride, s.padding);
    for (int32_t x = 0; x < s.stride; x++) {
      const Line columns = line(x, s.inWidth, s.kernelWidth, s.stride, s.padding);
      visit(rows, columns, offset);
      offset += kernels::packedFloats(rows.taps * columns.taps * s.outChannels, s.inChannels);
    }
  }
}

}  // namespace

template <>
size_t ConvInputGrad<Direct>::packedFloats(const ConvShape& s) {
  if (hasOneChannelGrad(s)) return oneChannelGradPackedFloats(s);
  size_t total = 0;
  forEachClass(s, [&](const Line& rows, const Line& columns, size_t offset) {
    total = offset + kernels::packedFloats(rows.taps * columns.taps * s.outChannels, s.inChannels);
  });
  return total;
}

template <>
void ConvInputGrad<Direct>::pack(const ConvShape& s, const float* weight, float* packed) {
  if (hasOneChannelGrad(s)) {
    oneChannelGradPack(s, weight, packed);
    return;
  }
  forEachClass(s, [&](const Line& rows, const Line& columns, size_t offset) {
    const int32_t run = columns.taps * s.outChannels;
    packMatrix(rows.taps * run, s.inChannels, packed + offset, [&](int32_t k, int32_t c) {
      const int32_t kh = rows.tap + (rows.taps - 1 - k / run) * s.stride;
      const int32_t kw = columns.tap + (columns.taps - 1 - k % run / s.outChannels) * s.stride;
      return weight[weightIndex(s, k % s.outChannels, c, kh, kw)];
    });
  });
}

template <>
size_t ConvInputGrad<Direct>::scratchFloats(const ConvShape& s, int32_t) {
  if (hasOneChannelGrad(s)) return oneChannelGradScratchFloats(s);
  const Geometry g = geometry(s);
  return g.padded ? alignFloats(size_t(g.rows.before + s.outHeight + g.rows.after) * g.width * s.outChannels) : 0;
}

template <>
void ConvInputGrad<Direct>::run(const ConvShape& s, int32_t images, const float* dy, const float* packed,
                                const Epilogue& epilogue, float* dx, float* scratch) {
  const Geometry g = geometry(s);
  const ptrdiff_t dyRow = ptrdiff_t(g.width) * s.outChannels;
  for (int32_t image = 0; image < images; image++) {
    const float* gradient = dy + image * outFloats(s);
    const size_t offset = image * inFloats(s);
    if (hasOneChannelGrad(s)) {
      oneChannelGrad(s, gradient, packed, shifted(epilogue, offset), dx + offset, scratch);
      continue;
    }
    if (g.padded) {
      padImage(gradient, s.outHeight, s.outWidth, s.outChannels, g.rows.before, g.rows.after, g.columns.before,
               g.columns.after, scratch);
      gradient = scratch;
    }
    forEachClass(s, [&](const Line& rows, const Line& columns, size_t packedOffset) {
      const RowGrid grid{rows.count * columns.count,
                         columns.count,
                         s.outChannels,
                         dyRow,
                         ptrdiff_t(s.stride) * s.inChannels,
                         ptrdiff_t(s.stride) * s.inWidth * s.inChannels};
      const Runs runs{columns.taps == 0 ? 0 : rows.taps, columns.taps * s.outChannels, dyRow};
      // A class without taps reads nothing: its start may be anywhere.
      const ptrdiff_t start = runs.total() == 0 ? 0
                                                : (rows.start + g.rows.before) * dyRow +
                                                      ptrdiff_t(columns.start + g.columns.before) * s.outChannels;
      const size_t at = offset + (size_t(rows.first) * s.inWidth + columns.first) * s.inChannels;
      multiply(grid, gradient + start, runs, packed + packedOffset, s.inChannels, shifted(epilogue, at), dx + at);
    });
  }
}

}  // namespace rdi::kernels
