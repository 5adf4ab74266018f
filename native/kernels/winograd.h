// The parts of the Winograd convolutions F(M×M, R×R): the transforms, and the blocks of tiles that they work on.
//
// Y = Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A with g an R×R filter, d a tile of P×P inputs (P = M + R − 1) and Y its M×M outputs
// (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016). Summed over input channels, the product
// ⊙ becomes P·P matrix products, one a point, of [tiles][in channels] with [in channels][out channels].
#pragma once

#include "conv2d.h"
#include "gemm.h"
#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {

// F(2×2, 3×3).
struct Winograd2 {
  static constexpr int M = 2, R = 3, P = 4;
  // What the transforms of one channel of a tile cost, in multiply-adds; measured.
  static constexpr int transformCost = 80;
  static constexpr double G[P][R] = {{1, 0, 0}, {0.5, 0.5, 0.5}, {0.5, -0.5, 0.5}, {0, 0, 1}};
  // t = Bᵀ d
  static RDI_INLINE void input(const vf (&d)[P], vf (&t)[P]) {
    t[0] = d[0] - d[2];
    t[1] = d[1] + d[2];
    t[2] = d[2] - d[1];
    t[3] = d[1] - d[3];
  }
  // d = B t
  static RDI_INLINE void inputTransposed(const vf (&t)[P], vf (&d)[P]) {
    d[0] = t[0];
    d[1] = (t[1] - t[2]) + t[3];
    d[2] = (t[1] + t[2]) - t[0];
    d[3] = -t[3];
  }
  // y = Aᵀ m
  static RDI_INLINE void output(const vf (&m)[P], vf (&y)[M]) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
  }
  // m = A y
  static RDI_INLINE void outputTransposed(const vf (&y)[M], vf (&m)[P]) {
    m[0] = y[0];
    m[1] = y[0] + y[1];
    m[2] = y[0] - y[1];
    m[3] = -y[1];
  }
};

// F(4×4, 3×3), with the points 0, ±1, ±2, ∞.
struct Winograd4 {
  static constexpr int M = 4, R = 3, P = 6;
  static constexpr int transformCost = 240;
  static constexpr double G[P][R] = {{1.0 / 4, 0, 0},
                                     {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                     {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                     {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                     {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                     {0, 0, 1}};
  static RDI_INLINE void input(const vf (&d)[P], vf (&t)[P]) {
    const vf four = broadcast(4), even = d[4] - d[2], odd = d[3] - d[1], twice = odd + odd;
    const vf a = d[4] - four * d[2], b = d[3] - four * d[1];
    t[0] = madd(four, d[0] - d[2], even);
    t[1] = a + b;
    t[2] = a - b;
    t[3] = even + twice;
    t[4] = even - twice;
    t[5] = (d[5] - d[3]) - four * odd;
  }
  static RDI_INLINE void inputTransposed(const vf (&t)[P], vf (&d)[P]) {
    const vf four = broadcast(4), sum1 = t[1] + t[2], difference1 = t[1] - t[2], sum2 = t[3] + t[4],
             difference2 = t[3] - t[4];
    const vf twice = difference2 + difference2, both = t[0] + sum1;
    d[0] = four * t[0];
    d[1] = four * (t[5] - difference1) - twice;
    d[2] = -(madd(four, both, t[0]) + sum2);
    d[3] = (difference1 + twice) - broadcast(5) * t[5];
    d[4] = both + sum2;
    d[5] = t[5];
  }
  static RDI_INLINE void output(const vf (&m)[P], vf (&y)[M]) {
    const vf p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    y[0] = m[0] + p + r;
    y[1] = madd(broadcast(2), s, q);
    y[2] = madd(broadcast(4), r, p);
    y[3] = madd(broadcast(8), s, q) + m[5];
  }
  static RDI_INLINE void outputTransposed(const vf (&y)[M], vf (&m)[P]) {
    const vf even = y[0] + y[2], odd = y[1] + y[3];
    const vf even4 = madd(broadcast(4), y[2], y[0]), odd2 = madd(broadcast(8), y[3], y[1] + y[1]);
    m[0] = y[0];
    m[1] = even + odd;
    m[2] = even - odd;
    m[3] = even4 + odd2;
    m[4] = even4 - odd2;
    m[5] = y[3];
  }
};

// F(2×2, 5×5), with the points of F(4×4, 3×3), and so its transform of the input. (The transpose of that is not here:
// the input gradient is a convolution with flipped weights.)
struct Winograd2x5 {
  static constexpr int M = 2, R = 5, P = 6;
  static constexpr int transformCost = 200;
  static constexpr double G[P][R] = {{1.0 / 4, 0, 0, 0, 0},
                                     {-1.0 / 6, -1.0 / 6, -1.0 / 6, -1.0 / 6, -1.0 / 6},
                                     {-1.0 / 6, 1.0 / 6, -1.0 / 6, 1.0 / 6, -1.0 / 6},
                                     {1.0 / 24, 1.0 / 12, 1.0 / 6, 1.0 / 3, 2.0 / 3},
                                     {1.0 / 24, -1.0 / 12, 1.0 / 6, -1.0 / 3, 2.0 / 3},
                                     {0, 0, 0, 0, 1}};
  static RDI_INLINE void input(const vf (&d)[P], vf (&t)[P]) { Winograd4::input(d, t); }
  static RDI_INLINE void output(const vf (&m)[P], vf (&y)[M]) {
    const vf p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    y[0] = m[0] + p + r;
    y[1] = madd(broadcast(2), s, q) + m[5];
  }
  static RDI_INLINE void outputTransposed(const vf (&y)[M], vf (&m)[P]) {
    const vf twice = y[1] + y[1];
    m[0] = y[0];
    m[1] = y[0] + y[1];
    m[2] = y[0] - y[1];
    m[3] = y[0] + twice;
    m[4] = y[0] - twice;
    m[5] = y[1];
  }
};

// Tiles are worked on in blocks of whole strips; a strip is one row of tiles of one image. Strip s is tile row s % down
// of image s / down.
struct TileGrid {
  int32_t across, down;  // tiles of an image
  int32_t strips;        // of all images
  int32_t blockStrips;   // of a block
  RDI_INLINE int32_t blockTiles() const { return blockStrips * across; }
};

template <class F>
TileGrid tileGrid(const ConvShape& s, int32_t images) {
  // Enough tiles that each point's weights are used often, few enough that a block's transforms stay in the
  // second-level cache.
  constexpr int32_t tilesWanted = 48;
  TileGrid g;
  g.across = ceilDiv(s.outWidth, F::M);
  g.down = ceilDiv(s.outHeight, F::M);
  g.strips = g.down * images;
  const int32_t strips = tilesWanted / g.across;
  g.blockStrips = strips < 1 ? 1 : strips < g.strips ? strips : g.strips;
  return g;
}

// Floats between the points of a block's transform: not a power of two apart, so that they do not meet in one set of
// the cache.
RDI_INLINE size_t pointStep(const TileGrid& g, int32_t channels) {
  return alignFloats(size_t(g.blockTiles()) * channels) + 16;
}

// Scratch of transformStrip(): the vertically transformed rows with their zero columns, and a row of zeros.
template <class F>
size_t stripFloats(const ConvShape& s, const TileGrid& g) {
  return alignFloats(size_t(F::P) * (g.across * F::M + F::R - 1) * s.inChannels) +
         alignFloats(size_t(s.inWidth) * s.inChannels);
}

// Zeros what transformStrip() expects to be zero; once a call is enough.
template <class F>
void prepareStrips(const ConvShape& s, const TileGrid& g, float* scratch) {
  __builtin_memset(scratch, 0, stripFloats<F>(s, g) * sizeof(float));
}

// v[point][tile][channel] = Bᵀ d B for the tiles of one strip; `v` is that of the strip's first tile.
template <class F>
void transformStrip(const ConvShape& s, const TileGrid& g, const float* image, int32_t tileRow, float* scratch,
                    float* v, size_t step) {
  constexpr int P = F::P, M = F::M;
  const size_t channels = size_t(s.inChannels), row = s.inWidth * channels, wide = (g.across * M + F::R - 1) * channels;
  const float* zeros = scratch + alignFloats(P * wide);
  const float* in[P];
  for (int a = 0; a < P; a++) {
    const int32_t y = tileRow * M - s.padding + a;
    in[a] = y >= 0 && y < s.inHeight ? image + y * row : zeros;
  }
  float* middle = scratch + s.padding * channels;
  // Columns that no tile reaches (the last of an image that the tiles do not cover) are left out.
  const size_t reach = wide - s.padding * channels, used = row < reach ? row : reach;
  for (size_t i = 0; i < used; i += VL) {
    vf d[P], t[P];
    RDI_UNROLL for (int a = 0; a < P; a++) d[a] = load(in[a] + i);
    F::input(d, t);
    RDI_UNROLL for (int a = 0; a < P; a++) store(middle + a * wide + i, t[a]);
  }
  for (int a = 0; a < P; a++) {
    const float* from = scratch + a * wide;
    float* to = v + a * P * step;
    for (int32_t tile = 0; tile < g.across; tile++, from += (M - 1) * channels) {
      for (size_t c = 0; c < channels; c += VL, from += VL, to += VL) {
        vf d[P], t[P];
        RDI_UNROLL for (int b = 0; b < P; b++) d[b] = load(from + b * channels);
        F::input(d, t);
        RDI_UNROLL for (int b = 0; b < P; b++) store(to + b * step, t[b]);
      }
    }
  }
}

// m[point][tile][channel] = A dy Aᵀ for the tiles of one strip of an output gradient, which is zero beyond the image;
// `m` is that of the strip's first tile.
template <class F>
void transformGradient(const ConvShape& s, const TileGrid& g, const float* image, int32_t tileRow, float* m,
                       size_t step) {
  constexpr int P = F::P, M = F::M;
  const int32_t rows = s.outHeight - tileRow * M;
  const size_t channels = size_t(s.outChannels), row = s.outWidth * channels;
  for (int32_t tile = 0; tile < g.across; tile++) {
    const int32_t columns = s.outWidth - tile * M;
    const float* from = image + tileRow * M * row + tile * M * channels;
    for (size_t c = 0; c < channels; c += VL, from += VL, m += VL) {
      vf half[M][P];
      RDI_UNROLL for (int i = 0; i < M; i++) {
        vf dy[M];
        RDI_UNROLL for (int j = 0; j < M; j++) dy[j] =
            i < rows && j < columns ? load(from + i * row + j * channels) : zero();
        F::outputTransposed(dy, half[i]);
      }
      RDI_UNROLL for (int b = 0; b < P; b++) {
        vf column[M], out[P];
        RDI_UNROLL for (int i = 0; i < M; i++) column[i] = half[i][b];
        F::outputTransposed(column, out);
        RDI_UNROLL for (int a = 0; a < P; a++) store(m + (a * P + b) * step, out[a]);
      }
    }
  }
}

// Packs (G g Gᵀ)[a][b] of every k and column at packed[place(k, column, a, b)], with g[i][j] = filter(k, column, i, j).
// VL neighbouring columns, of which there are only whole vectors, have neighbouring places.
template <class F, class Filter, class Place>
void packFilters(int32_t depth, int32_t columns, float* packed, Filter filter, Place place) {
  constexpr int P = F::P, R = F::R;
  for (int32_t column = 0; column < columns; column += VL) {
    for (int32_t k = 0; k < depth; k++) {
      double half[P][R][VL];
      for (int j = 0; j < R; j++) {
        double g[R][VL];
        for (int i = 0; i < R; i++) {
          for (int lane = 0; lane < VL; lane++) g[i][lane] = filter(k, column + lane, i, j);
        }
        for (int a = 0; a < P; a++) {
          for (int lane = 0; lane < VL; lane++) {
            double sum = 0;
            RDI_UNROLL for (int i = 0; i < R; i++) sum += F::G[a][i] * g[i][lane];
            half[a][j][lane] = sum;
          }
        }
      }
      for (int a = 0; a < P; a++) {
        for (int b = 0; b < P; b++) {
          float* to = packed + place(k, column, a, b);
          for (int lane = 0; lane < VL; lane++) {
            double sum = 0;
            RDI_UNROLL for (int j = 0; j < R; j++) sum += half[a][j][lane] * F::G[b][j];
            to[lane] = float(sum);
          }
        }
      }
    }
  }
}

// Packs one matrix [depth][columns] a point, for multiplyPoints().
template <class F, class Filter>
void packPoints(int32_t depth, int32_t columns, float* packed, Filter filter) {
  const size_t matrix = size_t(depth) * columns;
  packFilters<F>(depth, columns, packed, filter, [&](int32_t k, int32_t column, int a, int b) {
    return (a * F::P + b) * matrix + packedIndex(depth, columns, k, column);
  });
}

// Columns that are computed of those that there are, in units of columnUnit.
struct Columns {
  int32_t all, first, count;
};
// The columns of a panel: where a matrix's packed weights can be parted.
inline constexpr int columnUnit = VL == 16 ? VL : panelColumns;

RDI_INLINE Columns shareColumns(Share share, int32_t columns) {
  const int32_t units = ceilDiv(columns, columnUnit);
  const int32_t first = share.begin(units) * columnUnit, end = share.end(units) * columnUnit;
  return {columns, first, (end < columns ? end : columns) - first};
}

// m[point] = v[point] · packed[point]: [tiles][depth] · [depth][columns] for all points of a block.
template <class F>
void multiplyPoints(int32_t tiles, int32_t depth, const Columns& columns, const float* v, size_t vStep,
                    const float* packed, float* m, size_t mStep) {
  packed += size_t(columns.first) * depth;
  for (int point = 0; point < F::P * F::P; point++) {
    multiplyMatrix(tiles, depth, columns.count, v + point * vStep, packed + size_t(point) * depth * columns.all,
                   m + point * mStep);
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
