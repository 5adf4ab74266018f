// Convolutions in integers as sums of products: an image becomes integers, with its border, and each output row is a
// matrix product of its windows.
#include "quantized_internal.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

// An image of integers with its border. A window's rows are runs of neighbours; those of an odd length reach one
// further, where the weight is zero.
struct Plane {
  int32_t width, rowPairs, columns;
  size_t row, shorts;
  RDI_INLINE explicit Plane(const ConvShape& s)
      : width(s.inWidth + 2 * s.padding),
        rowPairs(ceilDiv(s.kernelWidth * s.inChannels, 2)),
        columns(roundUp(s.outChannels, VL)),
        row(size_t(width) * s.inChannels),
        shorts(row * (s.inHeight + 2 * s.padding) + 1) {}
};

}  // namespace

template <>
size_t Quantized<QuantizedMethod::Direct>::packedFloats(const QuantizedShape& shape) {
  const Plane p(shape.conv);
  return shortsAsFloats(size_t(shape.conv.kernelHeight) * 2 * p.rowPairs * p.columns);
}

template <>
void Quantized<QuantizedMethod::Direct>::pack(const QuantizedShape& shape, const int8_t* weight, int16_t* packed) {
  const ConvShape& s = shape.conv;
  const Plane p(s);
  const int32_t length = 2 * p.rowPairs, depth = s.kernelHeight * length;
  __builtin_memset(packed, 0, size_t(depth) * p.columns * sizeof(int16_t));
  for (int32_t o = 0; o < s.outChannels; o++) {
    for (int32_t c = 0; c < s.inChannels; c++) {
      for (int32_t i = 0; i < s.kernelHeight; i++) {
        for (int32_t j = 0; j < s.kernelWidth; j++) {
          packed[pairIndex(depth, p.columns, i * length + j * s.inChannels + c, o)] = weight[weightAt(s, o, c, i, j)];
        }
      }
    }
  }
}

template <>
size_t Quantized<QuantizedMethod::Direct>::scratchFloats(const QuantizedShape& shape, int32_t) {
  const Plane p(shape.conv);
  return shortsAsFloats(p.shorts) + size_t(shape.conv.outWidth) * p.columns;
}

template <>
void Quantized<QuantizedMethod::Direct>::run(const QuantizedShape& shape, int32_t images, const float* x,
                                             const int16_t* packed, const QuantizedEpilogue& epilogue, float* y,
                                             float* scratch) {
  const ConvShape& s = shape.conv;
  const Plane p(s);
  const Quantizer quantize(shape.input);
  int16_t* plane = reinterpret_cast<int16_t*>(scratch);
  int32_t* sums = reinterpret_cast<int32_t*>(scratch + shortsAsFloats(p.shorts));
  __builtin_memset(plane, 0, p.shorts * sizeof(int16_t));
  const size_t row = size_t(s.inWidth) * s.inChannels, outRow = size_t(s.outWidth) * s.outChannels;
  const PairRows windows = {s.outWidth, ptrdiff_t(s.stride) * s.inChannels, s.kernelHeight, p.rowPairs,
                            ptrdiff_t(p.row)};
  size_t place = 0;
  for (int32_t image = 0; image < images; image++) {
    int16_t* inside = plane + s.padding * p.row + size_t(s.padding) * s.inChannels;
    for (int32_t i = 0; i < s.inHeight; i++, x += row, inside += p.row) quantize(x, row, inside);
    for (int32_t i = 0; i < s.outHeight; i++, place += outRow) {
      multiplyPairs(windows, plane + size_t(i) * s.stride * p.row, packed, p.columns, sums);
      storeRows(epilogue, sums, s.outWidth, s.outChannels, place, y);
    }
  }
}

// Images of one pixel are the rows of one product. They are worked on some at a time.
namespace {

constexpr int32_t rowsTogether = 64;

struct Rows {
  int32_t depth, columns, together;
  RDI_INLINE Rows(const ConvShape& s, int32_t images)
      : depth(roundUp(s.inChannels, 2)),
        columns(roundUp(s.outChannels, VL)),
        together(images < rowsTogether ? images : rowsTogether) {}
};

}  // namespace

template <>
size_t Quantized<QuantizedMethod::Rows>::packedFloats(const QuantizedShape& shape) {
  return Quantized<QuantizedMethod::Direct>::packedFloats(shape);
}

template <>
void Quantized<QuantizedMethod::Rows>::pack(const QuantizedShape& shape, const int8_t* weight, int16_t* packed) {
  Quantized<QuantizedMethod::Direct>::pack(shape, weight, packed);
}

template <>
size_t Quantized<QuantizedMethod::Rows>::scratchFloats(const QuantizedShape& shape, int32_t images) {
  const Rows r(shape.conv, images);
  return shortsAsFloats(size_t(r.together) * r.depth) + size_t(r.together) * r.columns;
}

template <>
void Quantized<QuantizedMethod::Rows>::run(const QuantizedShape& shape, int32_t images, const float* x,
                                           const int16_t* packed, const QuantizedEpilogue& epilogue, float* y,
                                           float* scratch) {
  const ConvShape& s = shape.conv;
  const Rows r(s, images);
  const Quantizer quantize(shape.input);
  int16_t* rows = reinterpret_cast<int16_t*>(scratch);
  int32_t* sums = reinterpret_cast<int32_t*>(scratch + shortsAsFloats(size_t(r.together) * r.depth));
  for (int32_t first = 0; first < images; first += r.together) {
    const int32_t count = images - first < r.together ? images - first : r.together;
    for (int32_t i = 0; i < count; i++) {
      int16_t* to = rows + size_t(i) * r.depth;
      quantize(x + size_t(first + i) * s.inChannels, size_t(s.inChannels), to);
      if (s.inChannels % 2 != 0) to[s.inChannels] = 0;
    }
    multiplyPairs({count, r.depth, 1, r.depth / 2, 0}, rows, packed, r.columns, sums);
    storeRows(epilogue, sums, count, s.outChannels, size_t(first) * s.outChannels, y);
  }
}

}  // namespace rdi::kernels::inline RDI_ISA
