// What the files of the convolutions in integers share; not part of the interface.
#pragma once

#include "quantized.h"
#include "simd.h"

namespace rdi::kernels::inline RDI_ISA {

// Direct: sums of products. Rows: the same for an image of one pixel, a row of a matrix product for all images.
// Winograd: F(4×4, 3×3) in integers.
enum class QuantizedMethod : int32_t { Direct, Rows, Winograd };

template <QuantizedMethod method>
struct Quantized {
  static size_t packedFloats(const QuantizedShape& shape);
  static void pack(const QuantizedShape& shape, const int8_t* weight, int16_t* packed);
  static size_t scratchFloats(const QuantizedShape& shape, int32_t images);
  static void run(const QuantizedShape& shape, int32_t images, const float* x, const int16_t* packed,
                  const QuantizedEpilogue& epilogue, float* y, float* scratch);
};

// Whether F(4×4, 3×3) can compute it exactly, and does so with fewer products.
bool winogradSuits(const QuantizedShape& shape);

RDI_INLINE size_t weightAt(const ConvShape& s, int32_t o, int32_t c, int32_t i, int32_t j) {
  const size_t row = size_t(s.inChannels) * s.kernelHeight * s.kernelWidth;
  return o * ((row + 3) & ~size_t(3)) + (size_t(c) * s.kernelHeight + i) * s.kernelWidth + j;
}
RDI_INLINE size_t shortsAsFloats(size_t n) { return alignFloats((n + 1) / 2); }

// Products of integers of 16 bits: C[rows][columns] = A·B, where each row of A is `runs` of `pairs` pairs of
// neighbours, `runStep` apart, and the rows are `step` apart; B has the pairs of all runs. `columns` is a multiple of
// VL.
struct PairRows {
  int32_t rows;
  ptrdiff_t step;
  int32_t runs, pairs;
  ptrdiff_t runStep;
};
void multiplyPairs(const PairRows& a, const int16_t* from, const int16_t* packed, int32_t columns, int32_t* c);

// Columns are packed in panels of so many vectors.
inline constexpr int pairPanel = 2 * VL;
// Where B's element (k, column) is packed; of `depth` rows, an even number.
RDI_INLINE size_t pairIndex(int32_t depth, int32_t columns, int32_t k, int32_t column) {
  const int32_t first = column / pairPanel * pairPanel, left = columns - first;
  const int32_t width = left < pairPanel ? left : pairPanel, vector = (column - first) / VL, lane = column % VL;
  const int32_t place = pairsInterleaved ? 2 * lane + k % 2 : k % 2 * VL + lane;
  return size_t(first) * depth + size_t(k / 2) * 2 * width + vector * 2 * VL + place;
}

// to[i] = round(x[i] · levels), to the nearest even, within the range; NaN becomes its lowest.
class Quantizer {
 public:
  RDI_INLINE explicit Quantizer(const InputLevels& input)
      : levels_(input.levels), low_(input.isSigned ? -127 : 0), high_(input.isSigned ? 127 : 255) {}

  RDI_INLINE void operator()(const float* x, size_t count, int16_t* to) const {
    size_t i = 0;
    for (; i + 2 * VL <= count; i += 2 * VL) {
      *reinterpret_cast<vsUnaligned*>(to + i) = narrow(integers(load(x + i)), integers(load(x + i + VL)));
    }
    for (; i < count; i += VL) {
      const vi part = integers(loadLanes(x + i, count - i));
      for (int lane = 0; lane < VL && i + lane < count; lane++) to[i + lane] = int16_t(part[lane]);
    }
  }

 private:
  RDI_INLINE vi integers(vf x) const {
    const vf low = broadcast(low_), scaled = x * broadcast(levels_);
    // In this order NaN becomes the lowest.
    const vf within = atMost(atLeast(low, scaled), broadcast(high_));
    // In the sum, the last bit of the fraction counts ones.
    const vf rounder = broadcast(12582912.0f);
    return reinterpret_cast<vi>(within + rounder) - reinterpret_cast<vi>(rounder);
  }

  float levels_, low_, high_;
};

// Stores y[place …] of VL channels from `channel` on; of as many as there are, unless `whole`.
template <bool whole>
RDI_INLINE void storeSums(const QuantizedEpilogue& e, vi sums, int32_t channel, int32_t channels, size_t place,
                          float* y) {
  const size_t count = whole ? VL : size_t(channels - channel);
  vf result = toFloat(sums) * loadLanes(e.scale + channel, count);
  if (e.bias) result += loadLanes(e.bias + channel, count);
  if (e.residual) result += loadLanes(e.residual + place, count);
  if (e.relu) result = relu(result);
  storeLanes(y + place, result, count);
}

// A truth that the compiler knows, as an argument.
template <bool truth>
struct Constant {
  static constexpr bool value = truth;
};

// Calls f with whether all vectors of so many channels are whole.
template <class F>
RDI_INLINE void byWholeness(int32_t channels, F&& f) {
  if (channels % VL == 0) {
    f(Constant<true>{});
  } else {
    f(Constant<false>{});
  }
}

// Stores y[row][channel] from sums[row][column].
RDI_INLINE void storeRows(const QuantizedEpilogue& epilogue, const int32_t* from, int32_t rows, int32_t channels,
                          size_t first, float* y) {
  byWholeness(channels, [&](auto whole) {
    const QuantizedEpilogue e = epilogue;  // a local, which no store can change
    const int32_t* sums = from;
    size_t place = first;
    for (int32_t row = 0; row < rows; row++, place += channels) {
      for (int32_t c = 0; c < channels; c += VL, sums += VL) {
        storeSums<whole.value>(e, *reinterpret_cast<const viUnaligned*>(sums), c, channels, place + c, y);
      }
    }
  });
}

}  // namespace rdi::kernels::inline RDI_ISA
