// Which method computes a layer in integers.
#include "quantized_internal.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

template <class F>
RDI_INLINE auto with(int32_t method, F&& f) {
  switch (QuantizedMethod(method)) {
    case QuantizedMethod::Rows:
      return f(Quantized<QuantizedMethod::Rows>{});
    case QuantizedMethod::Winograd:
      return f(Quantized<QuantizedMethod::Winograd>{});
    default:
      return f(Quantized<QuantizedMethod::Direct>{});
  }
}

}  // namespace

int32_t quantizedMethod(const QuantizedShape& shape) {
  const ConvShape& s = shape.conv;
  const bool pixel = s.inHeight == 1 && s.inWidth == 1 && s.kernelHeight == 1 && s.kernelWidth == 1;
  if (pixel) return int32_t(QuantizedMethod::Rows);
  return int32_t(winogradSuits(shape) ? QuantizedMethod::Winograd : QuantizedMethod::Direct);
}

size_t quantizedPackedFloats(const QuantizedShape& shape, int32_t method) {
  return with(method, [&](auto m) { return m.packedFloats(shape); });
}

void quantizedPack(const QuantizedShape& shape, int32_t method, const int8_t* weight, float* packed) {
  with(method, [&](auto m) { m.pack(shape, weight, reinterpret_cast<int16_t*>(packed)); });
}

size_t quantizedScratchFloats(const QuantizedShape& shape, int32_t method, int32_t images) {
  return with(method, [&](auto m) { return m.scratchFloats(shape, images); });
}

void quantizedForward(const QuantizedShape& shape, int32_t method, int32_t images, const float* x, const float* packed,
                      const QuantizedEpilogue& epilogue, float* y, float* scratch) {
  with(method,
       [&](auto m) { m.run(shape, images, x, reinterpret_cast<const int16_t*>(packed), epilogue, y, scratch); });
}

}  // namespace rdi::kernels::inline RDI_ISA
