// Fully connected layers.
#include "families.h"
#include "kernels/shapes.h"

namespace rdi {
namespace {

using namespace kernels;

// x [N,K], weight [O,K], y [N,O]; x and y may be gradients. Within the bound, sizes of packed weights do not overflow
// 32 bits.
bool checkLinear(NodeSetup& setup, const Value& x, const Value& weight, const Value& y) {
  constexpr uint64_t maxWeightFloats = 1 << 28;
  if (!setup.expect(isMatrixRow(x) && isMatrixRow(y) && !weight.perImage && weight.rank == 2 &&
                        weight.dims[1] == x.dims[0] && weight.dims[0] == y.dims[0],
                    "rows [N,K] and [N,O] with a weight [O,K]") ||
      !setup.expect(uint64_t(weight.dims[0] + 16) * uint64_t(weight.dims[1] + 16) < maxWeightFloats,
                    "a weight that fits in memory")) {
    return false;
  }
  setup.keep(LinearShape{weight.dims[1], weight.dims[0]});
  return true;
}

bool checkForward(NodeSetup& setup) {
  return setup.operands(2, 1, 1) && checkLinear(setup, setup.input(0), setup.input(1), setup.output()) &&
         setup.expect(!setup.hasInput(2) || (!setup.input(2).perImage && setup.input(2).rank == 1 &&
                                             setup.input(2).dims[0] == setup.output().dims[0]),
                      "a bias [O]");
}

bool checkInputGrad(NodeSetup& setup) {
  if (!setup.operands(2, 2, 0) || !checkLinear(setup, setup.output(), setup.input(1), setup.input(0))) return false;
  for (int32_t i = 2; i < 4; i++) {
    if (!setup.expect(!setup.hasInput(i) || sameShape(setup.input(i), setup.output()),
                      "a residual and a ReLU mask of the output's shape")) {
      return false;
    }
  }
  return true;
}

bool checkWeightGrad(NodeSetup& setup) {
  return setup.operands(2, 0, 0) && checkLinear(setup, setup.input(0), setup.output(), setup.input(1));
}

constexpr Op list[] = {
    {"linear", checkForward},
    {"linearInputGrad", checkInputGrad},
    {"linearWeightGrad", checkWeightGrad, true},
};

}  // namespace

OpList linearOps() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi
