// Convolutions.
#include "conv_shape.h"
#include "families.h"

namespace rdi {
namespace {

using namespace kernels;

// Checks the three tensors and the attributes that all passes share, and keeps the shape.
bool checkConv(NodeSetup& setup, const Value& x, const Value& weight, const Value& y) {
  if (!setup.expect(isImage(x) && isImage(y) && !weight.perImage && weight.rank == 4,
                    "images [N,C,H,W] and a weight [O,C/groups,K,K]")) {
    return false;
  }
  int32_t stride = setup.attribute(0), padding = setup.attribute(1), groups = setup.attribute(2);
  ConvShape s = {x.dims[0],      x.dims[1],      x.dims[2], y.dims[0], y.dims[1], y.dims[2],
                 weight.dims[2], weight.dims[3], stride,    padding,   groups};
  if (!setup.expect(groups >= 1 && s.inChannels % groups == 0 && s.outChannels % groups == 0,
                    "a number of groups that divides both channel counts") ||
      !setup.expect(weight.dims[0] == s.outChannels && weight.dims[1] == s.inChannels / groups,
                    "a weight [O,C/groups,K,K] of the images' channels") ||
      !checkConvShape(setup, s)) {
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
