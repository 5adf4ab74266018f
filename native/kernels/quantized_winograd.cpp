// Convolutions in integers by F(4×4, 3×3) (Lavin and Gray, 2016; winograd.h says what the letters are), which is exact
// here:
//
// - Bᵀ d B of integers of 8 bits fits in 16 bits: its factors sum to 10 a row, and 10·10·255 < 2¹⁵.
// - The rows of G are multiplied by 24, the last by 12, which leaves integers that sum to at most 12: 12·12·127 < 2¹⁵.
// - Sums of products, and Aᵀ with its last column doubled, are computed modulo 2³². What comes out is 576 = 64·9 times
// the result, modulo 2³²;
//   times the inverse of 9 it is 64 times the result, of which a shift leaves the result, as it lies within ±2²⁵.
//
// A larger kernel is cut into blocks of 3×3, whose products are summed before Aᵀ: blocks are like further input
// channels.
#include "quantized_internal.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

constexpr int M = 4, P = 6, R = 3;
constexpr int32_t G[P][R] = {{6, 0, 0}, {-4, -4, -4}, {-4, 4, -4}, {1, 2, 4}, {1, -2, 4}, {0, 0, 12}};

// t = Bᵀ d
template <class V>
RDI_INLINE void transformInput(const V (&d)[P], V (&t)[P]) {
  const V even = d[4] - d[2], odd = d[3] - d[1], twice = odd + odd;
  const V a = d[4] - (d[2] << 2), b = d[3] - (d[1] << 2);
  t[0] = ((d[0] - d[2]) << 2) + even;
  t[1] = a + b;
  t[2] = a - b;
  t[3] = even + twice;
  t[4] = even - twice;
  t[5] = (d[5] - d[3]) - (odd << 2);
}

// y = Aᵀ m, with the last column of Aᵀ doubled. Of numbers without signs, since they may wrap.
RDI_INLINE void transformOutput(const vu (&m)[P], vu (&y)[M]) {
  const vu p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
  y[0] = m[0] + p + r;
  y[1] = q + (s << 1);
  y[2] = p + (r << 2);
  y[3] = q + (s << 3) + (m[5] << 1);
}

// The result of 576 times it, modulo 2³².
RDI_INLINE vi divideBy576(vu y) { return reinterpret_cast<vi>(y * 0x38e38e39u) >> 6; }

// Tiles are worked on in blocks of whole strips; a strip is one row of tiles of one image.
struct Geometry {
  int32_t across, down, blockStrips, kernelBlocks, depth, columns;
  int32_t planeWidth, planeHeight;
  size_t planeRow;  // in shorts
  size_t vStep, mStep;

  RDI_INLINE Geometry(const ConvShape& s, int32_t images) {
    constexpr int32_t tilesWanted = 48;
    kernelBlocks = ceilDiv(s.kernelHeight, R);
    across = ceilDiv(s.outWidth, M);
    down = ceilDiv(s.outHeight, M);
    const int32_t strips = tilesWanted / across < 1 ? 1 : tilesWanted / across;
    blockStrips = strips < down * images ? strips : down * images;
    depth = kernelBlocks * kernelBlocks * s.inChannels;
    columns = roundUp(s.outChannels, VL);
    planeWidth = across * M + R * kernelBlocks - 1;
    planeHeight = down * M + R * kernelBlocks - 1;
    planeRow = size_t(planeWidth) * s.inChannels;
    // Not a power of two apart, so that points do not meet in one set of the cache.
    const size_t tiles = size_t(blockStrips) * across;
    vStep = ((tiles * depth + 31) & ~size_t(31)) + 32;
    mStep = alignFloats(tiles * columns) + 16;
  }
  RDI_INLINE size_t planeShorts() const { return planeRow * planeHeight; }
  RDI_INLINE size_t middleShorts() const { return P * planeRow; }
};

// v[point][tile][block of the kernel][channel] = Bᵀ d B for the tiles of a strip, in vectors of type V; `plane` begins
// with the strip's first row.
template <class V>
void transformStrip(const Geometry& g, int32_t channels, const int16_t* plane, int16_t* middle, int16_t* v) {
  constexpr int L = int(sizeof(V) / sizeof(int16_t));
  typedef int16_t Unaligned __attribute__((vector_size(sizeof(V)), aligned(sizeof(int16_t)), may_alias));
  const ptrdiff_t row = ptrdiff_t(g.planeRow), depth = g.depth, step = ptrdiff_t(g.vStep);
  const int32_t across = g.across, blocks = g.kernelBlocks;
  for (int32_t blockRow = 0; blockRow < blocks; blockRow++) {
    const int16_t* from = plane + blockRow * R * row;
    for (ptrdiff_t i = 0; i < row; i += L) {
      V d[P], t[P];
      RDI_UNROLL for (int a = 0; a < P; a++) d[a] = *reinterpret_cast<const Unaligned*>(from + a * row + i);
      transformInput(d, t);
      RDI_UNROLL for (int a = 0; a < P; a++) * reinterpret_cast<Unaligned*>(middle + a * row + i) = t[a];
    }
    for (int a = 0; a < P; a++) {
      for (int32_t tile = 0; tile < across; tile++) {
        const int16_t* in = middle + a * row + ptrdiff_t(tile) * M * channels;
        int16_t* to = v + a * P * step + tile * depth + ptrdiff_t(blockRow) * blocks * channels;
        for (int32_t block = 0; block < blocks; block++, in += (R - 1) * channels) {
          for (int32_t c = 0; c < channels; c += L, in += L, to += L) {
            V d[P], t[P];
            RDI_UNROLL for (int b = 0; b < P; b++) d[b] = *reinterpret_cast<const Unaligned*>(in + b * channels);
            transformInput(d, t);
            RDI_UNROLL for (int b = 0; b < P; b++) * reinterpret_cast<Unaligned*>(to + b * step) = t[b];
          }
        }
      }
    }
  }
}

typedef int16_t Shorts8 __attribute__((vector_size(16)));
typedef int16_t Shorts16 __attribute__((vector_size(32)));

void transformStrip(const Geometry& g, int32_t channels, const int16_t* plane, int16_t* middle, int16_t* v) {
  if constexpr (VL == 16) {
    if (channels % 32 == 0) return transformStrip<vs>(g, channels, plane, middle, v);
  }
  if constexpr (VL >= 8) {
    if (channels % 16 == 0) return transformStrip<Shorts16>(g, channels, plane, middle, v);
  }
  transformStrip<Shorts8>(g, channels, plane, middle, v);
}

// Outputs of the tiles of a strip from m[point][tile][column]; `place` is that of the image.
template <bool whole>
void storeStrip(const ConvShape& s, const Geometry& g, const int32_t* m, int32_t tileRow, size_t place,
                const QuantizedEpilogue& epilogue, float* y) {
  const QuantizedEpilogue e = epilogue;  // a local, which no store can change
  const int32_t channels = s.outChannels, across = g.across, columns = g.columns;
  const size_t row = size_t(s.outWidth) * channels, step = g.mStep;
  const int32_t rows = s.outHeight - tileRow * M < M ? s.outHeight - tileRow * M : M;
  for (int32_t tile = 0; tile < across; tile++) {
    const int32_t width = s.outWidth - tile * M < M ? s.outWidth - tile * M : M;
    const size_t first = place + size_t(tileRow) * M * row + size_t(tile) * M * channels;
    for (int32_t c = 0; c < columns; c += VL, m += VL) {
      vu half[P][M];
      RDI_UNROLL for (int a = 0; a < P; a++) {
        vu point[P];
        RDI_UNROLL for (int b = 0; b < P; b++) {
          point[b] = reinterpret_cast<vu>(vi(*reinterpret_cast<const viUnaligned*>(m + (a * P + b) * step)));
        }
        transformOutput(point, half[a]);
      }
      for (int32_t j = 0; j < width; j++) {
        vu column[P], out[M];
        RDI_UNROLL for (int a = 0; a < P; a++) column[a] = half[a][j];
        transformOutput(column, out);
        RDI_UNROLL for (int i = 0; i < M; i++) {
          if (i < rows)
            storeSums<whole>(e, divideBy576(out[i]), c, channels, first + i * row + size_t(j) * channels + c, y);
        }
      }
    }
  }
}

}  // namespace

bool winogradSuits(const QuantizedShape& shape) {
  const ConvShape& s = shape.conv;
  const int64_t largest = shape.input.isSigned ? 127 : 255;
  const int64_t factors = int64_t(s.inChannels) * s.kernelHeight * s.kernelWidth;
  const bool exact = largest * 127 * factors < 1 << 25;
  const bool fits = s.stride == 1 && s.kernelHeight == s.kernelWidth && s.kernelHeight >= R &&
                    s.kernelHeight <= 2 * R && s.inChannels % 8 == 0;
  if (!exact || !fits) return false;
  const Geometry g(s, 1);
  const int64_t products = int64_t(g.across) * g.down * P * P * g.kernelBlocks * g.kernelBlocks;
  // The transforms cost as much as some of the products.
  return 2 * products < int64_t(s.outHeight) * s.outWidth * s.kernelHeight * s.kernelWidth;
}

template <>
size_t Quantized<QuantizedMethod::Winograd>::packedFloats(const QuantizedShape& shape) {
  const Geometry g(shape.conv, 1);
  return shortsAsFloats(size_t(P) * P * g.depth * g.columns);
}

template <>
void Quantized<QuantizedMethod::Winograd>::pack(const QuantizedShape& shape, const int8_t* weight, int16_t* packed) {
  const ConvShape& s = shape.conv;
  const Geometry g(s, 1);
  const size_t matrix = size_t(g.depth) * g.columns;
  __builtin_memset(packed, 0, P * P * matrix * sizeof(int16_t));
  for (int32_t o = 0; o < s.outChannels; o++) {
    for (int32_t k = 0; k < g.depth; k++) {
      const int32_t c = k % s.inChannels, block = k / s.inChannels;
      const int32_t top = block / g.kernelBlocks * R, left = block % g.kernelBlocks * R;
      int32_t half[P][R] = {};
      for (int32_t i = 0; i < R && top + i < s.kernelHeight; i++) {
        for (int32_t j = 0; j < R && left + j < s.kernelWidth; j++) {
          const int32_t w = weight[weightAt(s, o, c, top + i, left + j)];
          for (int a = 0; a < P; a++) half[a][j] += G[a][i] * w;
        }
      }
      const size_t at = pairIndex(g.depth, g.columns, k, o);
      for (int a = 0; a < P; a++) {
        for (int b = 0; b < P; b++) {
          int32_t sum = 0;
          for (int j = 0; j < R; j++) sum += half[a][j] * G[b][j];
          packed[(a * P + b) * matrix + at] = int16_t(sum);
        }
      }
    }
  }
}

template <>
size_t Quantized<QuantizedMethod::Winograd>::scratchFloats(const QuantizedShape& shape, int32_t images) {
  const Geometry g(shape.conv, images);
  return shortsAsFloats(g.planeShorts()) + shortsAsFloats(g.middleShorts()) + shortsAsFloats(P * P * g.vStep) +
         P * P * g.mStep;
}

template <>
void Quantized<QuantizedMethod::Winograd>::run(const QuantizedShape& shape, int32_t images, const float* x,
                                               const int16_t* packed, const QuantizedEpilogue& epilogue, float* y,
                                               float* scratch) {
  const ConvShape& s = shape.conv;
  const Geometry g(s, images);
  const Quantizer quantize(shape.input);
  int16_t* plane = reinterpret_cast<int16_t*>(scratch);
  int16_t* middle = reinterpret_cast<int16_t*>(scratch += shortsAsFloats(g.planeShorts()));
  int16_t* v = reinterpret_cast<int16_t*>(scratch += shortsAsFloats(g.middleShorts()));
  int32_t* m = reinterpret_cast<int32_t*>(scratch += shortsAsFloats(P * P * g.vStep));
  __builtin_memset(plane, 0, g.planeShorts() * sizeof(int16_t));
  const size_t row = size_t(s.inWidth) * s.inChannels, outImage = size_t(s.outHeight) * s.outWidth * s.outChannels;
  const size_t matrix = size_t(g.depth) * g.columns;
  const int32_t allStrips = g.down * images;
  for (int32_t first = 0; first < allStrips; first += g.blockStrips) {
    const int32_t strips = allStrips - first < g.blockStrips ? allStrips - first : g.blockStrips;
    for (int32_t i = 0; i < strips; i++) {
      const int32_t tileRow = (first + i) % g.down;
      // The plane holds the image whose strips come one after another.
      if (tileRow == 0) {
        int16_t* inside = plane + s.padding * g.planeRow + size_t(s.padding) * s.inChannels;
        for (int32_t j = 0; j < s.inHeight; j++, x += row, inside += g.planeRow) quantize(x, row, inside);
      }
      transformStrip(g, s.inChannels, plane + tileRow * M * g.planeRow, middle, v + size_t(i) * g.across * g.depth);
    }
    const PairRows tiles = {strips * g.across, g.depth, 1, g.depth / 2, 0};
    for (int point = 0; point < P * P; point++) {
      multiplyPairs(tiles, v + point * g.vStep, packed + point * matrix, g.columns, m + point * g.mStep);
    }
    for (int32_t i = 0; i < strips; i++) {
      const int32_t image = (first + i) / g.down, tileRow = (first + i) % g.down;
      byWholeness(s.outChannels, [&](auto whole) {
        storeStrip<whole.value>(s, g, m + size_t(i) * g.across * g.columns, tileRow, image * outImage, epilogue, y);
      });
    }
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
