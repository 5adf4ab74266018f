// Pooling.
#include "families.h"
#include "kernels/shapes.h"

namespace rdi {
namespace {

using namespace kernels;

bool checkPool(NodeSetup& setup, const Value& x, const Value& y) {
  int32_t kernel = setup.attribute(0), stride = setup.attribute(1), padding = setup.attribute(2);
  if (!setup.expect(isImage(x) && isImage(y) && x.dims[0] == y.dims[0], "images [N,C,H,W] with the same channels") ||
      !setup.expect(
          kernel >= 1 && kernel <= 4096 && stride >= 1 && stride <= 4096 && padding >= 0 && padding <= kernel / 2,
          "a kernel and a stride of 1 to 4096, and a padding of 0 to kernel / 2") ||
      !setup.expect(x.dims[1] + 2 * padding >= kernel && x.dims[2] + 2 * padding >= kernel &&
                        y.dims[1] == (x.dims[1] + 2 * padding - kernel) / stride + 1 &&
                        y.dims[2] == (x.dims[2] + 2 * padding - kernel) / stride + 1,
                    "the output's size to be (input + 2 padding - kernel) / stride + 1")) {
    return false;
  }
  setup.keep(PoolShape{x.dims[0], x.dims[1], x.dims[2], y.dims[1], y.dims[2], kernel, stride, padding});
  return true;
}

bool checkForward(NodeSetup& setup) {
  return setup.operands(1, 0, 3) && checkPool(setup, setup.input(0), setup.output());
}

bool checkMaxGrad(NodeSetup& setup) {
  return setup.operands(2, 0, 3) && checkPool(setup, setup.output(), setup.input(0)) &&
         setup.expect(sameShape(setup.input(1), setup.output()), "x and dx of the same shape");
}

bool checkAvgGrad(NodeSetup& setup) {
  return setup.operands(1, 0, 3) && checkPool(setup, setup.output(), setup.input(0));
}

constexpr Op list[] = {
    {"maxPool2d", checkForward},
    {"maxPool2dGrad", checkMaxGrad},
    {"avgPool2d", checkForward},
    {"avgPool2dGrad", checkAvgGrad},
};

}  // namespace

OpList poolOps() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi
