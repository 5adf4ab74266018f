// Weight gradient in the Winograd domain: dU[point] = Σ_tiles (Bᵀ d B)[point]ᵀ · (A dy Aᵀ)[point], one matrix [in][out] a point, and at
// the end dW = Gᵀ dU G.
#include "conv2d_internal.h"
#include "gemm.h"
#include "winograd.h"

namespace rdi::kernels {
namespace {

// m[point][tile][channel] = A dy Aᵀ for the tiles of one strip, dy being zero beyond the image.
template <class F>
void transformGradient(const WinogradShape& s, const TileGrid& g, const float* image, int32_t tileRow, float* m, size_t step) {
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
        RDI_UNROLL for (int j = 0; j < M; j++) dy[j] = i < rows && j < columns ? load(from + i * row + j * channels) : zero();
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

}  // namespace

template <class F>
size_t ConvWeightGrad<F>::accumulatorFloats(const ConvShape& s) {
  return size_t(F::P) * F::P * s.inChannels * s.outChannels;
}

template <class F>
size_t ConvWeightGrad<F>::scratchFloats(const ConvShape& s, int32_t images) {
  const TileGrid g = tileGrid<F>(forwardShape(s), images);
  return stripFloats<F>(forwardShape(s), g) + F::P * F::P * (pointStep(g, s.inChannels) + pointStep(g, s.outChannels));
}

template <class F>
void ConvWeightGrad<F>::accumulate(const ConvShape& shape, int32_t images, const float* x, const float* dy, float* accumulator,
                                     float* scratch) {
  const WinogradShape s = forwardShape(shape);
  const TileGrid g = tileGrid<F>(s, images);
  const size_t vStep = pointStep(g, s.inChannels), mStep = pointStep(g, s.outChannels);
  float* v = scratch + stripFloats<F>(s, g);
  float* m = v + F::P * F::P * vStep;
  prepareStrips<F>(s, g, scratch);
  for (int32_t first = 0; first < g.strips; first += g.blockStrips) {
    const int32_t strips = g.strips - first < g.blockStrips ? g.strips - first : g.blockStrips;
    for (int32_t i = 0; i < strips; i++) {
      const int32_t image = (first + i) / g.down, tileRow = (first + i) % g.down;
      transformStrip<F>(s, g, x + image * inFloats(shape), tileRow, scratch, v + size_t(i) * g.across * s.inChannels, vStep);
      transformGradient<F>(s, g, dy + image * outFloats(shape), tileRow, m + size_t(i) * g.across * s.outChannels, mStep);
    }
    const OuterGrid grid{1, strips * g.across, s.inChannels, 0, s.outChannels, 0};
    for (int point = 0; point < F::P * F::P; point++) {
      accumulateOuter(grid, v + point * vStep, s.inChannels, m + point * mStep, s.outChannels,
                      accumulator + size_t(point) * s.inChannels * s.outChannels, s.outChannels);
    }
  }
}

template <class F>
void ConvWeightGrad<F>::finish(const ConvShape& s, const float* const* accumulators, int32_t count, float* dw) {
  constexpr int P = F::P;
  const size_t matrix = size_t(s.inChannels) * s.outChannels;
  for (int32_t c = 0; c < s.inChannels; c++) {
    for (int32_t o = 0; o < s.outChannels; o += VL) {
      const size_t at = size_t(c) * s.outChannels + o;
      vf half[3][P];
      for (int b = 0; b < P; b++) {
        for (int i = 0; i < 3; i++) half[i][b] = zero();
        for (int a = 0; a < P; a++) {
          vf sum = zero();
          for (int32_t j = 0; j < count; j++) sum += load(accumulators[j] + (a * P + b) * matrix + at);
          for (int i = 0; i < 3; i++) half[i][b] += sum * float(F::G[a][i]);
        }
      }
      for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) {
          vf sum = zero();
          for (int b = 0; b < P; b++) sum += half[i][b] * float(F::G[b][j]);
          for (int lane = 0; lane < VL; lane++) dw[weightIndex(s, o + lane, c, i, j)] = sum[lane];
        }
      }
    }
  }
}

template struct ConvWeightGrad<Winograd2>;
template struct ConvWeightGrad<Winograd4>;

}  // namespace rdi::kernels
