// Winograd convolution, forward.
#include "conv2d_internal.h"
#include "store_tile.h"
#include "winograd.h"
#include "winograd_rows.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// What is kept of a tile's products between the two halves of the output's transform: all of them, or those of rows
// that are transformed already (winograd_rows.h).
template <class F>
constexpr int keptPoints = F::P*(takesRows ? F::M : F::P);

// Outputs of the tiles of one strip, some of their channels, from m[point][tile][channel]; `m` is that of the strip's
// first tile, `y` the image.
template <class F>
void storeStrip(const ConvShape& s, const TileGrid& g, const Columns& outputs, const float* m, size_t step,
                int32_t tileRow, const Epilogue& epilogue, float* y) {
  constexpr int P = F::P, M = F::M;
  const Epilogue e = epilogue;  // a local, which no store can change
  const int32_t rows = s.outHeight - tileRow * M < M ? s.outHeight - tileRow * M : M;
  const ptrdiff_t channels = s.outChannels, row = s.outWidth * channels;
  for (int32_t tile = 0; tile < g.across; tile++) {
    const int32_t columns = s.outWidth - tile * M < M ? s.outWidth - tile * M : M;
    ptrdiff_t first = tileRow * M * row + tile * M * channels + outputs.first;
    for (int32_t c = outputs.first; c < outputs.first + outputs.count; c += VL, m += VL, first += VL) {
      vf half[P][M];
      RDI_UNROLL for (int a = 0; a < P; a++) {
        if constexpr (takesRows) {
          RDI_UNROLL for (int j = 0; j < M; j++) half[a][j] = load(m + (a * M + j) * step);
        } else {
          vf point[P];
          RDI_UNROLL for (int b = 0; b < P; b++) point[b] = load(m + (a * P + b) * step);
          F::output(point, half[a]);
        }
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
  packForward<F>(s.inChannels, s.outChannels, packed,
                 [&](int32_t c, int32_t o, int i, int j) { return weight[weightIndex(s, o, c, i, j)]; });
}

template <class F>
size_t ConvForward<F>::scratchFloats(const ConvShape& s, int32_t images) {
  const TileGrid g = tileGrid<F>(s, images);
  return stripFloats<F>(s, g) + F::P * F::P * pointStep(g, s.inChannels) + keptPoints<F> * pointStep(g, s.outChannels);
}

template <class F>
void ConvForward<F>::run(const ConvShape& s, int32_t images, const float* x, const float* packed,
                         const Epilogue& epilogue, float* y, float* scratch, Share share) {
  const TileGrid g = tileGrid<F>(s, images);
  const GridShare parts = shareGrid(share, g.strips * g.across, ceilDiv(s.outChannels, columnUnit));
  if (parts.empty) return;
  const Columns outputs = shareColumns(parts.columns, s.outChannels);
  const int32_t end = parts.rows.end(g.strips);
  const size_t vStep = pointStep(g, s.inChannels), mStep = pointStep(g, s.outChannels);
  float* v = scratch + stripFloats<F>(s, g);
  float* m = v + F::P * F::P * vStep;
  prepareStrips<F>(s, g, scratch);
  for (int32_t first = parts.rows.begin(g.strips); first < end; first += g.blockStrips) {
    const int32_t strips = end - first < g.blockStrips ? end - first : g.blockStrips;
    for (int32_t i = 0; i < strips; i++) {
      const int32_t image = (first + i) / g.down, tileRow = (first + i) % g.down;
      transformStrip<F>(s, g, x + image * inFloats(s), tileRow, scratch, v + size_t(i) * g.across * s.inChannels,
                        vStep);
    }
    if constexpr (takesRows) {
      multiplyRowsOfPoints<F>(strips * g.across, s.inChannels, outputs, v, vStep, packed, m, mStep);
    } else {
      multiplyPoints<F>(strips * g.across, s.inChannels, outputs, v, vStep, packed, m, mStep);
    }
    for (int32_t i = 0; i < strips; i++) {
      const int32_t image = (first + i) / g.down, tileRow = (first + i) % g.down;
      const size_t offset = image * outFloats(s);
      storeStrip<F>(s, g, outputs, m + size_t(i) * g.across * outputs.count, mStep, tileRow, shifted(epilogue, offset),
                    y + offset);
    }
  }
}

template struct ConvForward<Winograd2>;
template struct ConvForward<Winograd4>;
template struct ConvForward<Winograd2x5>;

}  // namespace rdi::kernels::inline RDI_ISA
