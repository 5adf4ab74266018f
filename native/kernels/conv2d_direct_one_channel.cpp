// Input gradient for images of one channel (greyscale), stride 1. Vectors of channels would be three quarters empty or
// more, so that here they hold neighbouring pixels of a row: a row of dy is copied to planes, [channel][x], and
// multiplied by the weights of all taps of the kernel at once, so that each value is loaded once. The sums of a tap
// belong to inputs that are shifted by it: they are kept for as many rows as the kernel is high, and an input row is
// the sum of its taps' rows.
#include "conv2d_direct.h"
#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// Taps that are multiplied at once: those of a 3×3 kernel where vectors are long, those of a row of it where a row of
// an image has many vectors, or one of any other kernel.
constexpr int32_t manyTaps = VL == 4 ? 3 : 9;
int32_t tapsAtOnce(const ConvShape& s) { return s.kernelHeight * s.kernelWidth == 9 ? manyTaps : 1; }

// Vectors that are multiplied at once by that many weights: their sums fill the registers.
template <int32_t Taps>
constexpr int tileVectors = Taps == 1         ? 8
                            : Taps == 3       ? 3
                            : registers == 32 ? 2
                                              : 1;

struct Layout {
  int32_t vectors;       // of a plane
  int32_t lead;          // zeros before the sums of a tap
  int32_t width;         // of the sums of a tap, with zeros on both sides
  size_t sums;           // floats of the sums of a row of dy
  size_t planes, total;  // where the sums end and the planes begin, and where these end
};

Layout layoutOf(const ConvShape& s) {
  Layout l;
  l.vectors = ceilDiv(s.outWidth, VL);
  l.lead = s.kernelWidth - 1;
  const int32_t most =
      l.vectors * VL > roundUp(s.inWidth, VL) + s.padding ? l.vectors * VL : roundUp(s.inWidth, VL) + s.padding;
  l.width = roundUp(l.lead + most, VL);
  l.sums = size_t(s.kernelHeight) * s.kernelWidth * l.width;
  l.planes = alignFloats(s.kernelHeight * l.sums);
  l.total = l.planes + size_t(s.outChannels) * l.vectors * VL;
  return l;
}

// sums[tap][x] = Σ_channels plane[channel][x] · weight[channel][tap] for V vectors of a row.
template <int32_t Taps, int V>
void multiplyTaps(const float* plane, ptrdiff_t step, const float* weight, int32_t channels, float* sums,
                  ptrdiff_t width) {
  vf acc[Taps][V] = {};
  const float* const end = weight + ptrdiff_t(channels) * Taps;
  RDI_NO_UNROLL for (; weight != end; weight += Taps) {
    vf x[V];
    RDI_UNROLL for (int v = 0; v < V; v++) x[v] = load(plane + v * VL);
    RDI_UNROLL for (int t = 0; t < Taps; t++) {
      const vf w = broadcastLoad(weight + t);
      RDI_UNROLL for (int v = 0; v < V; v++) acc[t][v] = madd(x[v], w, acc[t][v]);
    }
    plane += step;
  }
  RDI_UNROLL for (int t = 0; t < Taps; t++) {
    RDI_UNROLL for (int v = 0; v < V; v++) store(sums + t * width + v * VL, acc[t][v]);
  }
}

// The same for `vectors` of them, V or fewer.
template <int32_t Taps, int V>
RDI_INLINE void multiplyTapsOf(int32_t vectors, const float* plane, ptrdiff_t step, const float* weight,
                               int32_t channels, float* sums, ptrdiff_t width) {
  if (vectors == V) {
    multiplyTaps<Taps, V>(plane, step, weight, channels, sums, width);
  } else if constexpr (V > 1) {
    multiplyTapsOf<Taps, V - 1>(vectors, plane, step, weight, channels, sums, width);
  }
}

// A row of dy, from its planes.
template <int32_t Taps>
void multiplyRow(const ConvShape& s, const Layout& l, const float* planes, const float* packed, float* sums) {
  constexpr int V = tileVectors<Taps>;
  const ptrdiff_t step = ptrdiff_t(l.vectors) * VL;
  for (int32_t tap = 0; tap < s.kernelHeight * s.kernelWidth; tap += Taps) {
    float* to = sums + ptrdiff_t(tap) * l.width + l.lead;
    // Even parts, since a lone vector's sums would wait for each other.
    int32_t tiles = ceilDiv(l.vectors, V);
    for (int32_t first = 0, taken; first < l.vectors; first += taken, tiles--) {
      taken = ceilDiv(l.vectors - first, tiles);
      multiplyTapsOf<Taps, V>(taken, planes + first * VL, step, packed, s.outChannels, to + first * VL, l.width);
    }
    packed += ptrdiff_t(Taps) * s.outChannels;
  }
}

// Row y of dx: tap (kh, kw) has met it in row y + padding − kh of dy, kw − padding places further left.
void storeRow(const ConvShape& s, const Layout& l, const float* sums, int32_t y, const Epilogue& e, float* dx) {
  for (int32_t x = 0; x < s.inWidth; x += VL) {
    vf sum = zero();
    for (int32_t kh = 0; kh < s.kernelHeight; kh++) {
      const int32_t row = y + s.padding - kh;
      if (row < 0 || row >= s.outHeight) continue;
      const float* from = sums + row % s.kernelHeight * l.sums + size_t(kh) * s.kernelWidth * l.width;
      from += l.lead + s.padding + x;
      for (int32_t kw = 0; kw < s.kernelWidth; kw++, from += l.width - 1) sum += load(from);
    }
    const size_t at = size_t(y) * s.inWidth + x, lanes = size_t(s.inWidth - x);
    if (e.residual) sum += loadLanes(e.residual + at, lanes);
    if (e.reluMask) sum = keep(loadLanes(e.reluMask + at, lanes) > zero(), sum);
    storeLanes(dx + at, sum, lanes);
  }
}

}  // namespace

size_t oneChannelGradPackedFloats(const ConvShape& s) { return size_t(s.kernelHeight) * s.kernelWidth * s.outChannels; }

// [group of taps][out channel][tap].
void oneChannelGradPack(const ConvShape& s, const float* weight, float* packed) {
  const int32_t taps = tapsAtOnce(s), all = s.kernelHeight * s.kernelWidth;
  for (int32_t first = 0; first < all; first += taps) {
    for (int32_t o = 0; o < s.outChannels; o++) {
      for (int32_t tap = first; tap < first + taps; tap++) {
        *packed++ = weight[weightIndex(s, o, 0, tap / s.kernelWidth, tap % s.kernelWidth)];
      }
    }
  }
}

size_t oneChannelGradScratchFloats(const ConvShape& s) { return layoutOf(s).total; }

void oneChannelGrad(const ConvShape& s, const float* dy, const float* packed, const Epilogue& e, float* dx,
                    float* scratch) {
  const Layout l = layoutOf(s);
  const size_t width = size_t(s.outWidth), channels = size_t(s.outChannels);
  float* planes = scratch + l.planes;
  // What lies beside the sums and the planes stays zero.
  __builtin_memset(scratch, 0, l.total * sizeof(float));
  const auto multiply = tapsAtOnce(s) == manyTaps ? multiplyRow<manyTaps> : multiplyRow<1>;
  int32_t stored = 0;  // rows of dx
  for (int32_t row = 0; row < s.outHeight; row++) {
    transposeMatrix(dy + row * width * channels, width, channels, channels, planes, size_t(l.vectors) * VL);
    multiply(s, l, planes, packed, scratch + row % s.kernelHeight * l.sums);
    // The rows that no later row of dy meets.
    const int32_t complete = row + 1 == s.outHeight ? s.inHeight : row - s.padding + 1;
    for (; stored < complete; stored++) storeRow(s, l, scratch, stored, e, dx);
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
