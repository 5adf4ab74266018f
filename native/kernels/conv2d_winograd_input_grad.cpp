// Input gradient by Winograd convolution, in one of two ways.
//
// As the transpose of the forward convolution: the tiles are the forward's, and each dy tile of M×M gives P×P input
// gradients B[(G g Gᵀ) ⊙ (A dy Aᵀ)]Bᵀ, which overlap by R − 1 rows and columns and add up. Or as the convolution of dy
// with flipped weights, which has cheaper transforms, but needs more tiles where there is little padding.
#include "conv2d_internal.h"
#include "store_tile.h"
#include "winograd.h"
#include "winograd_rows.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// Scratch of storeGradientStrip(): a strip transformed horizontally, and the rows that it shares with the strip below
// it.
struct GradientStrip {
  size_t row;    // floats of a row, with the columns of the padding
  size_t carry;  // where the shared rows start
  size_t floats;
};

template <class F>
GradientStrip gradientStrip(const ConvShape& s, const TileGrid& g) {
  GradientStrip strip;
  strip.row = size_t(g.across * F::M + 2) * s.inChannels;
  strip.carry = alignFloats(F::P * strip.row);
  strip.floats = strip.carry + alignFloats(2 * strip.row);
  return strip;
}

// rows[point row][x][channel] = m B, the tiles' columns added where they overlap.
template <class F>
void addColumns(const ConvShape& s, const TileGrid& g, const float* m, size_t step, size_t row, float* rows) {
  constexpr int P = F::P, M = F::M;
  const size_t channels = size_t(s.inChannels);
  for (int a = 0; a < P; a++) {
    const float* from = m + a * P * step;
    float* to = rows + a * row;
    // The first tile adds to zeros.
    __builtin_memset(to, 0, 2 * channels * sizeof(float));
    for (int32_t tile = 0; tile < g.across; tile++, to += (M - 1) * channels) {
      for (size_t c = 0; c < channels; c += VL, from += VL, to += VL) {
        vf t[P], d[P];
        RDI_UNROLL for (int b = 0; b < P; b++) t[b] = load(from + b * step);
        F::inputTransposed(t, d);
        RDI_UNROLL for (int b = 0; b < 2; b++) store(to + b * channels, load(to + b * channels) + d[b]);
        RDI_UNROLL for (int b = 2; b < P; b++) store(to + b * channels, d[b]);
      }
    }
  }
}

// Input gradients from m[point][tile][channel] of one strip; `m` is that of the strip's first tile, `dx` the image. The
// strips of an image come one after another.
template <class F>
void storeGradientStrip(const ConvShape& s, const TileGrid& g, const float* m, size_t step, int32_t tileRow,
                        const Epilogue& epilogue, float* dx, float* scratch) {
  constexpr int P = F::P, M = F::M;
  const Epilogue e = epilogue;  // a local, which no store can change
  const GradientStrip strip = gradientStrip<F>(s, g);
  const bool last = tileRow + 1 == g.down;
  const int32_t top = tileRow * M - s.padding;  // the strip's first row in dx
  const int32_t end = last ? P : M;             // the rows from here on are completed by the strip below
  const StoredRows stored{top < 0 ? -top : 0, s.inHeight - top < end ? s.inHeight - top : end};
  const ptrdiff_t channels = s.inChannels, dxRow = s.inWidth * channels;
  addColumns<F>(s, g, m, step, strip.row, scratch);
  float* carry = scratch + strip.carry;
  if (tileRow == 0) __builtin_memset(carry, 0, 2 * strip.row * sizeof(float));
  const float* from = scratch + s.padding * channels;
  ptrdiff_t first = top * dxRow;
  for (int32_t x = 0; x < s.inWidth; x++) {
    for (int32_t c = 0; c < s.inChannels; c += VL, from += VL, carry += VL, first += VL) {
      vf t[P], d[P];
      RDI_UNROLL for (int a = 0; a < P; a++) t[a] = load(from + a * strip.row);
      F::inputTransposed(t, d);
      RDI_UNROLL for (int i = 0; i < 2; i++) {
        d[i] += load(carry + i * strip.row);
        store(carry + i * strip.row, d[M + i]);
      }
      if (stored.from == 0 && stored.to == M) {
        vf rows[M][1];
        ptrdiff_t offset[M];
        RDI_UNROLL for (int i = 0; i < M; i++) {
          rows[i][0] = d[i];
          offset[i] = first + i * dxRow;
        }
        storeTile<M, 1>(rows, e, offset, StoredRows{0, M}, c, dx);
      } else {
        vf rows[P][1];
        ptrdiff_t offset[P];
        RDI_UNROLL for (int i = 0; i < P; i++) {
          rows[i][0] = d[i];
          offset[i] = first + i * dxRow;
        }
        storeTile<P, 1>(rows, e, offset, stored, c, dx);
      }
    }
  }
}

// Whether tiles of the transpose overlap with their neighbours only.
template <class F>
constexpr bool hasTranspose = F::R - 1 <= F::M;

template <class F>
bool flips(const ConvShape& s) {
  const auto tiles = [](int32_t height, int32_t width) { return ceilDiv(height, F::M) * ceilDiv(width, F::M); };
  return !hasTranspose<F> || tiles(s.inHeight, s.inWidth) <= tiles(s.outHeight, s.outWidth);
}

// The convolution that makes dx of dy.
template <class F>
ConvShape flipped(const ConvShape& s) {
  ConvShape back = s;
  back.inChannels = s.outChannels;
  back.inHeight = s.outHeight;
  back.inWidth = s.outWidth;
  back.outChannels = s.inChannels;
  back.outHeight = s.inHeight;
  back.outWidth = s.inWidth;
  back.padding = F::R - 1 - s.padding;
  return back;
}

template <class F>
size_t transposeScratchFloats(const ConvShape& s, int32_t images) {
  const TileGrid g = tileGrid<F>(s, images);
  return gradientStrip<F>(s, g).floats + F::P * F::P * (pointStep(g, s.inChannels) + pointStep(g, s.outChannels));
}

template <class F>
void runTranspose(const ConvShape& s, int32_t images, const float* dy, const float* packed, const Epilogue& epilogue,
                  float* dx, float* scratch) {
  const TileGrid g = tileGrid<F>(s, images);
  const size_t vStep = pointStep(g, s.outChannels), mStep = pointStep(g, s.inChannels);
  float* v = scratch + gradientStrip<F>(s, g).floats;
  float* m = v + F::P * F::P * vStep;
  for (int32_t first = 0; first < g.strips; first += g.blockStrips) {
    const int32_t strips = g.strips - first < g.blockStrips ? g.strips - first : g.blockStrips;
    for (int32_t i = 0; i < strips; i++) {
      const int32_t image = (first + i) / g.down, tileRow = (first + i) % g.down;
      transformGradient<F>(s, g, dy + image * outFloats(s), tileRow, v + size_t(i) * g.across * s.outChannels, vStep);
    }
    multiplyPoints<F>(strips * g.across, s.outChannels, shareColumns({}, s.inChannels), v, vStep, packed, m, mStep);
    for (int32_t i = 0; i < strips; i++) {
      const int32_t image = (first + i) / g.down, tileRow = (first + i) % g.down;
      const size_t offset = image * inFloats(s);
      storeGradientStrip<F>(s, g, m + size_t(i) * g.across * s.inChannels, mStep, tileRow, shifted(epilogue, offset),
                            dx + offset, scratch);
    }
  }
}

}  // namespace

template <class F>
size_t ConvInputGrad<F>::packedFloats(const ConvShape& s) {
  return size_t(F::P) * F::P * s.inChannels * s.outChannels;
}

template <class F>
void ConvInputGrad<F>::pack(const ConvShape& s, const float* weight, float* packed) {
  if (flips<F>(s)) {
    packForward<F>(s.outChannels, s.inChannels, packed, [&](int32_t o, int32_t c, int i, int j) {
      return weight[weightIndex(s, o, c, F::R - 1 - i, F::R - 1 - j)];
    });
  } else {
    packPoints<F>(s.outChannels, s.inChannels, packed,
                  [&](int32_t o, int32_t c, int i, int j) { return weight[weightIndex(s, o, c, i, j)]; });
  }
}

template <class F>
size_t ConvInputGrad<F>::scratchFloats(const ConvShape& s, int32_t images) {
  return flips<F>(s) ? ConvForward<F>::scratchFloats(flipped<F>(s), images) : transposeScratchFloats<F>(s, images);
}

template <class F>
void ConvInputGrad<F>::run(const ConvShape& s, int32_t images, const float* dy, const float* packed,
                           const Epilogue& epilogue, float* dx, float* scratch, Share share) {
  if (flips<F>(s)) {
    ConvForward<F>::run(flipped<F>(s), images, dy, packed, epilogue, dx, scratch, share);
  } else if constexpr (hasTranspose<F>) {
    // Strips hand rows to the strips below them.
    if (share.part == 0) runTranspose<F>(s, images, dy, packed, epilogue, dx, scratch);
  }
}

template struct ConvInputGrad<Winograd2>;
template struct ConvInputGrad<Winograd4>;
template struct ConvInputGrad<Winograd2x5>;

}  // namespace rdi::kernels::inline RDI_ISA
