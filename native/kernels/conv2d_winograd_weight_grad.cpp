// Weight gradient in the Winograd domain: dU[point] = Σ_tiles (Bᵀ d B)[point]ᵀ · (A dy Aᵀ)[point], one matrix [in][out]
// a point, and at the end dW = Gᵀ dU G.
#include "conv2d_internal.h"
#include "gemm.h"
#include "winograd.h"

namespace rdi::kernels::inline RDI_ISA {
template <class F>
size_t ConvWeightGrad<F>::accumulatorFloats(const ConvShape& s) {
  return size_t(F::P) * F::P * s.inChannels * s.outChannels;
}

template <class F>
size_t ConvWeightGrad<F>::scratchFloats(const ConvShape& s, int32_t images) {
  const TileGrid g = tileGrid<F>(s, images);
  return stripFloats<F>(s, g) + F::P * F::P * (pointStep(g, s.inChannels) + pointStep(g, s.outChannels));
}

template <class F>
void ConvWeightGrad<F>::accumulate(const ConvShape& s, int32_t images, const float* x, const float* dy,
                                   float* accumulator, float* scratch) {
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
      transformGradient<F>(s, g, dy + image * outFloats(s), tileRow, m + size_t(i) * g.across * s.outChannels, mStep);
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
  constexpr int P = F::P, R = F::R;
  const size_t matrix = size_t(s.inChannels) * s.outChannels;
  for (int32_t c = 0; c < s.inChannels; c++) {
    for (int32_t o = 0; o < s.outChannels; o += VL) {
      const size_t at = size_t(c) * s.outChannels + o;
      vf half[R][P];
      for (int b = 0; b < P; b++) {
        for (int i = 0; i < R; i++) half[i][b] = zero();
        for (int a = 0; a < P; a++) {
          vf sum = zero();
          for (int32_t j = 0; j < count; j++) sum += load(accumulators[j] + (a * P + b) * matrix + at);
          for (int i = 0; i < R; i++) half[i][b] += sum * float(F::G[a][i]);
        }
      }
      for (int i = 0; i < R; i++) {
        for (int j = 0; j < R; j++) {
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
template struct ConvWeightGrad<Winograd2x5>;

}  // namespace rdi::kernels::inline RDI_ISA
