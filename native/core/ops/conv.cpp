// Convolutions.
#include "families.h"
#include "kernels/shapes.h"

namespace rdi {
namespace {

using namespace kernels;

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

// Checks the three tensors and the attributes that all passes share, and keeps the shape.
bool checkConv(NodeSetup& setup, const Value& x, const Value& weight, const Value& y) {
  if (!setup.expect(isImage(x) && isImage(y) && !weight.perImage && weight.rank == 4,
                    "images [N,C,H,W] and a weight [O,C/groups,K,K]")) {
    return false;
  }
  int32_t stride = setup.attribute(0), padding = setup.attribute(1), groups = setup.attribute(2);
  ConvShape s = {x.dims[0],      x.dims[1],      x.dims[2], y.dims[0], y.dims[1], y.dims[2],
                 weight.dims[2], weight.dims[3], stride,    padding,   groups};
  int32_t smallerSide = s.kernelHeight < s.kernelWidth ? s.kernelHeight : s.kernelWidth;
  if (!setup.expect(s.kernelHeight <= maxKernel && s.kernelWidth <= maxKernel && stride >= 1 && stride <= maxKernel &&
                        padding >= 0 && padding < smallerSide,
                    "a kernel of 1 to 64, a stride of 1 to 64, and a padding of 0 to kernel - 1") ||
      !setup.expect(groups >= 1 && s.inChannels % groups == 0 && s.outChannels % groups == 0,
                    "a number of groups that divides both channel counts") ||
      !setup.expect(weight.dims[0] == s.outChannels && weight.dims[1] == s.inChannels / groups,
                    "a weight [O,C/groups,K,K] of the images' channels") ||
      !setup.expect(s.kernelHeight <= s.inHeight + 2 * padding && s.kernelWidth <= s.inWidth + 2 * padding &&
                        s.outHeight == (s.inHeight + 2 * padding - s.kernelHeight) / stride + 1 &&
                        s.outWidth == (s.inWidth + 2 * padding - s.kernelWidth) / stride + 1,
                    "the output's size to be (input + 2 padding - kernel) / stride + 1") ||
      !setup.expect(fits(setup, s), "a convolution that fits in memory")) {
    return false;
  }
  // The last attribute of each pass.
  int32_t allowed = setup.attribute(setup.node.attributeCount - 1);
  if (!setup.expect(allowed >= 0 && allowed <= 2, "0, 1 or 2 for the methods that are allowed")) return false;
  setup.keep(s);
  return true;
}

bool checkForward(NodeSetup& setup) {
  if (!setup.operands(2, 2, 5) || !checkConv(setup, setup.input(0), setup.input(1), setup.output())) return false;
  const Value& y = setup.output();
  return setup.expect(!setup.hasInput(2) ||
                          (!setup.input(2).perImage && setup.input(2).rank == 1 && setup.input(2).dims[0] == y.dims[0]),
                      "a bias [O]") &&
         setup.expect(!setup.hasInput(3) || sameShape(setup.input(3), y), "a residual of the output's shape");
}

bool checkInputGrad(NodeSetup& setup) {
  const uint32_t bits = setup.hasInput(3) && isMaskBits(setup.input(3)) ? 1u << 3 : 0;
  if (!setup.operands(2, 2, 4, bits) || !checkConv(setup, setup.output(), setup.input(1), setup.input(0))) return false;
  const Value& dx = setup.output();
  return setup.expect(!setup.hasInput(2) || sameShape(setup.input(2), dx), "a residual of the output's shape") &&
         setup.expect(!setup.hasInput(3) || isReluMask(setup.input(3), dx), "the ReLU's output, or its positiveBits") &&
         setup.expect(!setup.hasInput(3) || !isMaskBits(setup.input(3)) || setup.attribute(2) == 1,
                      "no groups where the mask is positiveBits");
}

bool checkWeightGrad(NodeSetup& setup) {
  return setup.operands(2, 0, 4) && checkConv(setup, setup.input(0), setup.output(), setup.input(1));
}

constexpr Op list[] = {
    {"conv2d", checkForward},
    {"conv2dInputGrad", checkInputGrad},
    {"conv2dWeightGrad", checkWeightGrad, true},
};

}  // namespace

OpList convOps() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi
