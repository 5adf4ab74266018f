// Input gradient for images of one channel (greyscale), stride 1. Vectors of channels would be three quarters empty, so
// that here they hold neighbouring pixels of a row: rows of dy are copied to planes, [channel][x] with zeros on both
// sides, and each step of the inner loop multiplies a whole row of outputs by one weight. As many rows as the kernel is
// high are kept, in a ring.
#include "conv2d_direct.h"
#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// The most vectors of a row that are computed together.
constexpr int tileVectors = 8;

// The ring of plane rows.
struct Planes {
  int32_t top, left;  // rows and columns by which the gradient reaches beyond dy
  int32_t width;      // of a plane, with its zeros and with what the last vector of a row reads
  size_t row;         // floats of all planes of a row
};

Planes planesOf(const ConvShape& s) {
  Planes p;
  p.top = s.kernelHeight - 1 - s.padding;
  p.left = s.kernelWidth - 1 - s.padding;
  p.width = roundUp(roundUp(s.inWidth, VL) + s.kernelWidth - 1, VL);
  p.row = size_t(s.outChannels) * p.width;
  return p;
}

void storeRow(vf sum, const Epilogue& e, size_t at, size_t lanes, float* dx) {
  if (e.residual) sum += loadLanes(e.residual + at, lanes);
  if (e.reluMask) sum = keep(loadLanes(e.reluMask + at, lanes) > zero(), sum);
  storeLanes(dx + at, sum, lanes);
}

// V vectors of row y, the first of them at column x.
template <int V>
void gradientTile(const ConvShape& s, const Planes& p, const float* planes, const float* packed, int32_t y, int32_t x,
                  const Epilogue& e, float* dx) {
  const int32_t first = p.top - y > 0 ? p.top - y : 0;  // the first tap that meets a row of dy
  const int32_t last = s.outHeight + p.top - y < s.kernelHeight ? s.outHeight + p.top - y : s.kernelHeight;
  const ptrdiff_t step = p.width;
  const float* weight = packed + size_t(first) * s.kernelWidth * s.outChannels;
  vf acc[V] = {};
  for (int32_t kh = first; kh < last; kh++) {
    for (int32_t kw = 0; kw < s.kernelWidth; kw++) {
      const float* row = planes + (y + kh - p.top) % s.kernelHeight * p.row + x + kw;
      const float* const end = weight + s.outChannels;
      RDI_NO_UNROLL for (; weight != end; weight++) {
        const vf w = broadcastLoad(weight);
        RDI_UNROLL for (int v = 0; v < V; v++) acc[v] = madd(load(row + v * VL), w, acc[v]);
        row += step;
      }
    }
  }
  RDI_UNROLL for (int v = 0; v < V; v++) {
    const int32_t column = x + v * VL;
    storeRow(acc[v], e, size_t(y) * s.inWidth + column, size_t(s.inWidth - column), dx);
  }
}

}  // namespace

size_t oneChannelGradPackedFloats(const ConvShape& s) { return size_t(s.kernelHeight) * s.kernelWidth * s.outChannels; }

void oneChannelGradPack(const ConvShape& s, const float* weight, float* packed) {
  for (int32_t kh = s.kernelHeight - 1; kh >= 0; kh--) {
    for (int32_t kw = s.kernelWidth - 1; kw >= 0; kw--) {
      for (int32_t o = 0; o < s.outChannels; o++) *packed++ = weight[weightIndex(s, o, 0, kh, kw)];
    }
  }
}

size_t oneChannelGradScratchFloats(const ConvShape& s) { return s.kernelHeight * planesOf(s).row; }

void oneChannelGrad(const ConvShape& s, const float* dy, const float* packed, const Epilogue& e, float* dx,
                    float* scratch) {
  const Planes p = planesOf(s);
  const int32_t vectors = ceilDiv(s.inWidth, VL);
  const size_t width = size_t(s.outWidth), channels = size_t(s.outChannels);
  __builtin_memset(scratch, 0, s.kernelHeight * p.row * sizeof(float));
  int32_t copied = 0;  // rows of dy
  for (int32_t y = 0; y < s.inHeight; y++) {
    const int32_t needed = y + s.kernelHeight - p.top < s.outHeight ? y + s.kernelHeight - p.top : s.outHeight;
    for (; copied < needed; copied++) {
      transposeMatrix(dy + copied * width * channels, width, channels, channels,
                      scratch + copied % s.kernelHeight * p.row + p.left, size_t(p.width));
    }
    for (int32_t first = 0; first < vectors; first += tileVectors) {
      const int32_t x = first * VL;
      switch (vectors - first) {
        case 1:
          gradientTile<1>(s, p, scratch, packed, y, x, e, dx);
          break;
        case 2:
          gradientTile<2>(s, p, scratch, packed, y, x, e, dx);
          break;
        case 3:
          gradientTile<3>(s, p, scratch, packed, y, x, e, dx);
          break;
        case 4:
          gradientTile<4>(s, p, scratch, packed, y, x, e, dx);
          break;
        case 5:
          gradientTile<5>(s, p, scratch, packed, y, x, e, dx);
          break;
        case 6:
          gradientTile<6>(s, p, scratch, packed, y, x, e, dx);
          break;
        case 7:
          gradientTile<7>(s, p, scratch, packed, y, x, e, dx);
          break;
        default:
          gradientTile<tileVectors>(s, p, scratch, packed, y, x, e, dx);
          break;
      }
    }
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
