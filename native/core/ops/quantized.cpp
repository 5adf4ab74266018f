// Convolutions and fully connected layers in integers.
#include "conv_shape.h"
#include "families.h"

namespace rdi {
namespace {

using namespace kernels;

// Inputs but the first: weight, scale, [bias]; and the levels, whose attributes begin at `levels`. A weight's row is
// packed by fours, and no sum of so many products overflows 32 bits.
bool checkWeight(NodeSetup& setup, int64_t outputs, int64_t factors, int32_t levels) {
  constexpr int64_t maxFactors = 65536;
  const Value& weight = setup.input(1);
  auto isPerOutput = [&](const Value& v) { return !v.perImage && v.rank == 1 && v.dims[0] == outputs; };
  return setup.expect(factors <= maxFactors, "at most 65536 factors a sum") &&
         setup.expect(
             !weight.perImage && weight.rank == 2 && weight.dims[0] == outputs && weight.dims[1] == (factors + 3) / 4,
             "a weight [O,factors / 4]") &&
         setup.expect(isPerOutput(setup.input(2)), "a scale [O]") &&
         setup.expect(!setup.hasInput(3) || isPerOutput(setup.input(3)), "a bias [O]") &&
         setup.expect(setup.floatAttribute(levels) > 0 && setup.floatAttribute(levels) < __builtin_inff(),
                      "positive levels") &&
         setup.expect(uint32_t(setup.attribute(levels + 1)) <= 1, "0 or 1 for signed levels");
}

bool checkConv(NodeSetup& setup) {
  if (!setup.operands(3, 2, 7, 1u << 1)) return false;
  const Value &x = setup.input(0), &y = setup.output();
  if (!setup.expect(isImage(x) && isImage(y), "images [N,C,H,W]")) return false;
  const ConvShape s = {x.dims[0], x.dims[1],          x.dims[2],          y.dims[0],          y.dims[1],
                       y.dims[2], setup.attribute(2), setup.attribute(3), setup.attribute(0), setup.attribute(1)};
  if (!checkConvShape(setup, s) ||
      !checkWeight(setup, s.outChannels, int64_t(s.inChannels) * s.kernelHeight * s.kernelWidth, 5) ||
      !setup.expect(!setup.hasInput(4) || sameShape(setup.input(4), y), "a residual of the output's shape")) {
    return false;
  }
  setup.keep(QuantizedShape{s, {setup.floatAttribute(5), setup.attribute(6)}});
  return true;
}

bool checkLinear(NodeSetup& setup) {
  if (!setup.operands(3, 1, 3, 1u << 1)) return false;
  const Value &x = setup.input(0), &y = setup.output();
  if (!setup.expect(isMatrixRow(x) && isMatrixRow(y), "rows [N,K] and [N,O]")) return false;
  const ConvShape s = {x.dims[0], 1, 1, y.dims[0], 1, 1, 1, 1, 1, 0};
  if (!checkConvShape(setup, s) || !checkWeight(setup, s.outChannels, s.inChannels, 1)) return false;
  setup.keep(QuantizedShape{s, {setup.floatAttribute(1), setup.attribute(2)}});
  return true;
}

constexpr Op list[] = {
    {"quantizedConv2d", checkConv},
    {"quantizedLinear", checkLinear},
};

}  // namespace

OpList quantizedOps() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi
