// Input gradient of a direct convolution: for each class of inputs (conv2d_input_grad.h) an implicit matrix product of
// stride 1 over dy. With stride 1 there is one class, and this is the convolution of dy with the flipped, transposed
// weights.
#include "conv2d_direct.h"
#include "conv2d_input_grad.h"
#include "gemm.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

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
};

Geometry geometry(const ConvShape& s) {
  Geometry g;
  g.rows = border(s.inHeight, s.outHeight, s.kernelHeight, s.stride, s.padding);
  g.columns = border(s.inWidth, s.outWidth, s.kernelWidth, s.stride, s.padding);
  g.width = g.columns.before + s.outWidth + g.columns.after;
  return g;
}

// Whether the gradient is read from a copy, with borders or of the channels of one group, instead of from dy itself.
bool needsCopy(const ConvShape& s, const Geometry& g) {
  return s.groups > 1 || g.rows.before + g.rows.after + g.columns.before + g.columns.after > 0;
}

// forEachClass() of a group.
template <class Visit>
size_t forEachClass(const ConvShape& group, Visit visit) {
  const auto packedOf = [&](int32_t rowTaps, int32_t columnTaps) {
    return kernels::packedFloats(rowTaps * columnTaps * group.outChannels, group.inChannels);
  };
  return kernels::forEachClass(group, packedOf, visit);
}

// Of a group's weights.
size_t groupPackedFloats(const ConvShape& group) {
  return forEachClass(group, [](const Line&, const Line&, size_t) {});
}

void packGroup(const ConvShape& group, const float* weight, float* packed) {
  const int32_t channels = group.outChannels;
  forEachClass(group, [&](const Line& rows, const Line& columns, size_t offset) {
    const int32_t run = columns.taps * channels;
    packMatrix(rows.taps * run, group.inChannels, packed + offset, [&](int32_t k, int32_t c) {
      const int32_t kh = rows.tap + (rows.taps - 1 - k / run) * group.stride;
      const int32_t kw = columns.tap + (columns.taps - 1 - k % run / channels) * group.stride;
      return weight[weightIndex(group, k % channels, c, kh, kw)];
    });
  });
}

}  // namespace

template <>
size_t ConvInputGrad<Direct>::packedFloats(const ConvShape& s) {
  if (hasOneChannelGrad(s)) return oneChannelGradPackedFloats(s);
  return s.groups * groupPackedFloats(groupOf(s));
}

template <>
void ConvInputGrad<Direct>::pack(const ConvShape& s, const float* weight, float* packed) {
  if (hasOneChannelGrad(s)) {
    oneChannelGradPack(s, weight, packed);
    return;
  }
  const ConvShape group = groupOf(s);
  const size_t weights = weightFloats(group), groupPacked = groupPackedFloats(group);
  for (int32_t g = 0; g < s.groups; g++) packGroup(group, weight + g * weights, packed + g * groupPacked);
}

template <>
size_t ConvInputGrad<Direct>::scratchFloats(const ConvShape& s, int32_t) {
  if (hasOneChannelGrad(s)) return oneChannelGradScratchFloats(s);
  const Geometry g = geometry(s);
  if (!needsCopy(s, g)) return 0;
  return alignFloats(size_t(g.rows.before + s.outHeight + g.rows.after) * g.width * groupOf(s).outChannels);
}

template <>
void ConvInputGrad<Direct>::run(const ConvShape& s, int32_t images, const float* dy, const float* packed,
                                const Epilogue& epilogue, float* dx, float* scratch, Share share) {
  if (hasOneChannelGrad(s)) {
    if (share.part > 0) return;
    for (int32_t image = 0; image < images; image++) {
      const size_t offset = image * inFloats(s);
      oneChannelGrad(s, dy + image * outFloats(s), packed, shifted(epilogue, offset), dx + offset, scratch);
    }
    return;
  }
  const Geometry g = geometry(s);
  const bool copies = needsCopy(s, g);
  const ConvShape group = groupOf(s);
  const int32_t channels = group.outChannels;
  const ptrdiff_t dyRow = ptrdiff_t(g.width) * channels;
  const size_t groupPacked = groupPackedFloats(group);
  for (int32_t image = 0; image < images; image++) {
    for (int32_t i = 0; i < s.groups; i++) {
      const float* gradient = dy + image * outFloats(s) + i * channels;
      const size_t offset = image * inFloats(s) + i * group.inChannels;
      if (copies) {
        padImage(gradient, s.outChannels, s.outHeight, s.outWidth, channels, g.rows.before, g.rows.after,
                 g.columns.before, g.columns.after, scratch);
        gradient = scratch;
      }
      forEachClass(group, [&](const Line& rows, const Line& columns, size_t packedOffset) {
        const RowGrid grid{rows.count * columns.count,
                           columns.count,
                           channels,
                           dyRow,
                           ptrdiff_t(s.stride) * s.inChannels,
                           ptrdiff_t(s.stride) * s.inWidth * s.inChannels};
        const Runs runs{columns.taps == 0 ? 0 : rows.taps, columns.taps * channels, dyRow};
        // A class without taps reads nothing: its start may be anywhere.
        const ptrdiff_t start = runs.total() == 0 ? 0
                                                  : (rows.start + g.rows.before) * dyRow +
                                                        ptrdiff_t(columns.start + g.columns.before) * channels;
        const size_t at = offset + (size_t(rows.first) * s.inWidth + columns.first) * s.inChannels;
        multiply(grid, gradient + start, runs, packed + i * groupPacked + packedOffset, group.inChannels,
                 shifted(epilogue, at), dx + at, share);
      });
    }
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
