// Winograd convolution, forward and input gradient.
#include "conv2d_internal.h"
#include "gemm.h"
#include "store_tile.h"
#include "winograd.h"

namespace rdi::kernels {
namespace {

template <class F>
size_t transformedFloats(const WinogradShape& s) {
  return size_t(F::P) * F::P * s.inChannels * s.outChannels;
}

// packed[point] = the packed matrix of (G g Gᵀ)[point], with g = filter(k, o).
template <class F, class Filter>
void packTransformed(const WinogradShape& s, float* packed, Filter filter) {
  constexpr int P = F::P;
  const size_t matrix = size_t(s.inChannels) * s.outChannels;
  for (int32_t o = 0; o < s.outChannels; o++) {
    for (int32_t k = 0; k < s.inChannels; k++) {
      float g[3][3];
      filter(k, o, g);
      double half[P][3];
      for (int a = 0; a < P; a++) {
        for (int j = 0; j < 3; j++) half[a][j] = F::G[a][0] * g[0][j] + F::G[a][1] * g[1][j] + F::G[a][2] * g[2][j];
      }
      float* to = packed + packedIndex(s.inChannels, s.outChannels, k, o);
      for (int a = 0; a < P; a++) {
        for (int b = 0; b < P; b++, to += matrix) {
          *to = float(half[a][0] * F::G[b][0] + half[a][1] * F::G[b][1] + half[a][2] * F::G[b][2]);
        }
      }
    }
  }
}

template <class F>
size_t convolveFloats(const WinogradShape& s, int32_t images) {
  const TileGrid g = tileGrid<F>(s, images);
  return stripFloats<F>(s, g) + F::P * F::P * (pointStep(g, s.inChannels) + pointStep(g, s.outChannels));
}

// Outputs of the tiles of one strip from m[point][tile][channel]; `m` is that of the strip's first tile, `y` the image.
template <class F>
void storeStrip(const WinogradShape& s, const TileGrid& g, const float* m, size_t step, int32_t tileRow,
                const Epilogue& epilogue, float* y) {
  constexpr int P = F::P, M = F::M;
  const Epilogue e = epilogue;  // a local, which no store can change
  const int32_t rows = s.outHeight - tileRow * M < M ? s.outHeight - tileRow * M : M;
  const ptrdiff_t channels = s.outChannels, row = s.outWidth * channels;
  for (int32_t tile = 0; tile < g.across; tile++) {
    const int32_t columns = s.outWidth - tile * M < M ? s.outWidth - tile * M : M;
    ptrdiff_t first = tileRow * M * row + tile * M * channels;
    for (int32_t c = 0; c < s.outChannels; c += VL, m += VL, first += VL) {
      vf half[P][M];
      RDI_UNROLL for (int a = 0; a < P; a++) {
        vf point[P];
        RDI_UNROLL for (int b = 0; b < P; b++) point[b] = load(m + (a * P + b) * step);
        F::output(point, half[a]);
      }
      RDI_UNROLL for (int j = 0; j < M; j++) {
        const int32_t stored = j < columns ? rows : 0;
        vf column[P], out[M], acc[M][1];
        ptrdiff_t offset[M];
        RDI_UNROLL for (int a = 0; a < P; a++) column[a] = half[a][j];
        F::output(column, out);
        RDI_UNROLL for (int i = 0; i < M; i++) {
          acc[i][0] = out[i];
          offset[i] = first + i * row + j * channels;
        }
        storeTile<M, 1>(acc, e, offset, stored, c, y);
      }
    }
  }
}

template <class F>
void convolve(const WinogradShape& s, int32_t images, const float* x, const float* packed, const Epilogue& epilogue, float* y,
              float* scratch) {
  const TileGrid g = tileGrid<F>(s, images);
  const size_t vStep = pointStep(g, s.inChannels), mStep = pointStep(g, s.outChannels);
  const size_t inImage = size_t(s.inHeight) * s.inWidth * s.inChannels, outImage = size_t(s.outHeight) * s.outWidth * s.outChannels;
  float* v = scratch + stripFloats<F>(s, g);
  float* m = v + F::P * F::P * vStep;
  prepareStrips<F>(s, g, scratch);
  for (int32_t first = 0; first < g.strips; first += g.blockStrips) {
    const int32_t strips = g.strips - first < g.blockStrips ? g.strips - first : g.blockStrips, tiles = strips * g.across;
    for (int32_t i = 0; i < strips; i++) {
      const int32_t image = (first + i) / g.down, tileRow = (first + i) % g.down;
      transformStrip<F>(s, g, x + image * inImage, tileRow, scratch, v + size_t(i) * g.across * s.inChannels, vStep);
    }
    const RowGrid grid{tiles, tiles, s.inChannels, 0, s.outChannels, 0};
    for (int point = 0; point < F::P * F::P; point++) {
      multiply(grid, v + point * vStep, Runs{1, s.inChannels, 0}, packed + size_t(point) * s.inChannels * s.outChannels,
               s.outChannels, Epilogue{}, m + point * mStep);
    }
    for (int32_t i = 0; i < strips; i++) {
      const int32_t image = (first + i) / g.down, tileRow = (first + i) % g.down;
      storeStrip<F>(s, g, m + size_t(i) * g.across * s.outChannels, mStep, tileRow, shifted(epilogue, image * outImage),
                    y + image * outImage);
    }
  }
}

}  // namespace

template <class F>
size_t ConvForward<F>::packedFloats(const ConvShape& s) {
  return transformedFloats<F>(forwardShape(s));
}

template <class F>
void ConvForward<F>::pack(const ConvShape& s, const float* weight, float* packed) {
  packTransformed<F>(forwardShape(s), packed, [&](int32_t c, int32_t o, float(&g)[3][3]) {
    const float* filter = weight + weightIndex(s, o, c, 0, 0);
    for (int i = 0; i < 9; i++) g[i / 3][i % 3] = filter[i];
  });
}

template <class F>
size_t ConvForward<F>::scratchFloats(const ConvShape& s, int32_t images) {
  return convolveFloats<F>(forwardShape(s), images);
}

template <class F>
void ConvForward<F>::run(const ConvShape& s, int32_t images, const float* x, const float* packed, const Epilogue& epilogue, float* y,
                        float* scratch) {
  convolve<F>(forwardShape(s), images, x, packed, epilogue, y, scratch);
}

template <class F>
size_t ConvInputGrad<F>::packedFloats(const ConvShape& s) {
  return transformedFloats<F>(inputGradShape(s));
}

template <class F>
void ConvInputGrad<F>::pack(const ConvShape& s, const float* weight, float* packed) {
  packTransformed<F>(inputGradShape(s), packed, [&](int32_t o, int32_t c, float(&g)[3][3]) {
    const float* filter = weight + weightIndex(s, o, c, 0, 0);
    for (int i = 0; i < 9; i++) g[i / 3][i % 3] = filter[8 - i];
  });
}

template <class F>
size_t ConvInputGrad<F>::scratchFloats(const ConvShape& s, int32_t images) {
  return convolveFloats<F>(inputGradShape(s), images);
}

template <class F>
void ConvInputGrad<F>::run(const ConvShape& s, int32_t images, const float* dy, const float* packed, const Epilogue& epilogue,
                          float* dx, float* scratch) {
  convolve<F>(inputGradShape(s), images, dy, packed, epilogue, dx, scratch);
}

template struct ConvForward<Winograd2>;
template struct ConvForward<Winograd4>;
template struct ConvInputGrad<Winograd2>;
template struct ConvInputGrad<Winograd4>;

}  // namespace rdi::kernels
