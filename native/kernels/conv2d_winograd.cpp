// Winograd convolution, forward.
#include "conv2d_internal.h"
#include "store_tile.h"
#include "winograd.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// Outputs of the tiles of one strip from m[point][tile][channel]; `m` is that of the strip's first tile, `y` the image.
template <class F>
void storeStrip(const ConvShape& s, const TileGrid& g, const float* m, size_t step, int32_t tileRow,
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
        storeTile<M, 1>(acc, e, offset, StoredRows{0, stored}, c, y);
      }
    }
  }
}

}  // namespace

template <class F>
size_t ConvForward<F>::packedFloats(const ConvShape& s) {
  return size_t(F::P) * F::P * s.inChannels * s.outChannels;
}

template <class F>
void ConvForward<F>::pack(const ConvShape& s, const float* weight, float* packed) {
  packFilters<F>(s.inChannels, s.outChannels, packed,
                 [&](int32_t c, int32_t o, int i, int j) { return weight[weightIndex(s, o, c, i, j)]; });
}

template <class F>
size_t ConvForward<F>::scratchFloats(const ConvShape& s, int32_t images) {
  const TileGrid g = tileGrid<F>(s, images);
  return stripFloats<F>(s, g) + F::P * F::P * (pointStep(g, s.inChannels) + pointStep(g, s.outChannels));
}

template <class F>
void ConvForward<F>::run(const ConvShape& s, int32_t images, const float* x, const float* packed,
                         const Epilogue& epilogue, float* y, float* scratch) {
  const TileGrid g = tileGrid<F>(s, images);
  const size_t vStep = pointStep(g, s.inChannels), mStep = pointStep(g, s.outChannels);
  float* v = scratch + stripFloats<F>(s, g);
  float* m = v + F::P * F::P * vStep;
  prepareStrips<F>(s, g, scratch);
  for (int32_t first = 0; first < g.strips; first += g.blockStrips) {
    const int32_t strips = g.strips - first < g.blockStrips ? g.strips - first : g.blockStrips;
    for (int32_t i = 0; i < strips; i++) {
      const int32_t image = (first + i) / g.down, tileRow = (first + i) % g.down;
      transformStrip<F>(s, g, x + image * inFloats(s), tileRow, scratch, v + size_t(i) * g.across * s.inChannels,
                        vStep);
    }
    multiplyPoints<F>(strips * g.across, s.inChannels, s.outChannels, v, vStep, packed, m, mStep);
    for (int32_t i = 0; i < strips; i++) {
      const int32_t image = (first + i) / g.down, tileRow = (first + i) % g.down;
      const size_t offset = image * outFloats(s);
      storeStrip<F>(s, g, m + size_t(i) * g.across * s.outChannels, mStep, tileRow, shifted(epilogue, offset),
                    y + offset);
    }
  }
}

template struct ConvForward<Winograd2>;
template struct ConvForward<Winograd4>;
template struct ConvForward<Winograd2x5>;

}  // namespace rdi::kernels::inline RDI_ISA
