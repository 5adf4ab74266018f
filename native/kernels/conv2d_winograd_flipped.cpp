// Input gradient by F(2×2, 5×5): the convolution of dy with flipped weights.
#include "conv2d_internal.h"
#include "winograd.h"

namespace rdi::kernels::inline RDI_ISA {
namespace {

using F = Winograd2x5;

// The convolution that makes dx of dy.
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

}  // namespace

template <>
size_t ConvInputGrad<F>::packedFloats(const ConvShape& s) {
  return ConvForward<F>::packedFloats(flipped(s));
}

template <>
void ConvInputGrad<F>::pack(const ConvShape& s, const float* weight, float* packed) {
  packFilters<F>(s.outChannels, s.inChannels, packed, [&](int32_t o, int32_t c, int i, int j) {
    return weight[weightIndex(s, o, c, F::R - 1 - i, F::R - 1 - j)];
  });
}

template <>
size_t ConvInputGrad<F>::scratchFloats(const ConvShape& s, int32_t images) {
  return ConvForward<F>::scratchFloats(flipped(s), images);
}

template <>
void ConvInputGrad<F>::run(const ConvShape& s, int32_t images, const float* dy, const float* packed,
                           const Epilogue& epilogue, float* dx, float* scratch) {
  ConvForward<F>::run(flipped(s), images, dy, packed, epilogue, dx, scratch);
}

}  // namespace rdi::kernels::inline RDI_ISA
