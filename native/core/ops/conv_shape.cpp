#include "conv_shape.h"

namespace rdi {
namespace {

using kernels::ConvShape;

// Sizes in kernels are computed in size_t, of 32 bits in WebAssembly; within these bounds none of them overflows.
constexpr int32_t maxKernel = 64;
constexpr uint64_t maxTileFloats = 1 << 26;
constexpr uint64_t maxWeightFloats = 1 << 26;

bool fits(const NodeSetup& setup, const ConvShape& s) {
  auto image = [&](int32_t channels, int32_t height, int32_t width) {
    uint64_t padded = uint64_t(height + 2 * maxKernel) * uint64_t(width + 2 * maxKernel);
    return padded < maxTileFloats && padded * uint64_t(channels) < maxTileFloats * 16 / uint64_t(setup.plan.tile);
  };
  uint64_t weights = uint64_t(s.groups) * uint64_t(s.inChannels / s.groups + 16) *
                     uint64_t(s.outChannels / s.groups + 16) * uint64_t(s.kernelHeight * s.kernelWidth);
  return image(s.inChannels, s.inHeight, s.inWidth) && image(s.outChannels, s.outHeight, s.outWidth) &&
         weights < maxWeightFloats;
}

}  // namespace

bool checkConvShape(NodeSetup& setup, const ConvShape& s) {
  const int32_t smallerSide = s.kernelHeight < s.kernelWidth ? s.kernelHeight : s.kernelWidth;
  return setup.expect(s.kernelHeight >= 1 && s.kernelHeight <= maxKernel && s.kernelWidth >= 1 &&
                          s.kernelWidth <= maxKernel && s.stride >= 1 && s.stride <= maxKernel && s.padding >= 0 &&
                          s.padding < smallerSide,
                      "a kernel of 1 to 64, a stride of 1 to 64, and a padding of 0 to kernel - 1") &&
         setup.expect(s.kernelHeight <= s.inHeight + 2 * s.padding && s.kernelWidth <= s.inWidth + 2 * s.padding &&
                          s.outHeight == (s.inHeight + 2 * s.padding - s.kernelHeight) / s.stride + 1 &&
                          s.outWidth == (s.inWidth + 2 * s.padding - s.kernelWidth) / s.stride + 1,
                      "the output's size to be (input + 2 padding - kernel) / stride + 1") &&
         setup.expect(fits(setup, s), "a convolution that fits in memory");
}

}  // namespace rdi
