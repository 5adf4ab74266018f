// Sums: over an image, over a whole value, over the images of the batch, and over the engines of a group.
#include "families.h"

namespace rdi {
namespace {

bool checkSumPerImage(NodeSetup& setup) {
  return setup.operands(1, 0, 0) &&
         setup.expect(setup.input(0).perImage && isImageScalar(setup.output()), "x [N,...] and an output [N]");
}

bool checkSumAll(NodeSetup& setup) {
  return setup.operands(1, 0, 0) &&
         setup.expect(!setup.input(0).perImage && isWholeScalar(setup.output()), "a whole input and a scalar output");
}

bool checkReduceBatch(NodeSetup& setup) {
  return setup.operands(1, 0, 1) &&
         setup.expect(isImageScalar(setup.input(0)) && isWholeScalar(setup.output()), "x [N] and a scalar output");
}

bool checkChannelSum(NodeSetup& setup) {
  if (!setup.operands(1, 0, 0)) return false;
  const Value &dy = setup.input(0), &y = setup.output();
  return setup.expect((isImage(dy) || isMatrixRow(dy)) && !y.perImage && y.rank == 1 && y.dims[0] == dy.dims[0],
                      "dy [N,C] or [N,C,H,W] and an output [C]");
}

bool checkAllReduce(NodeSetup& setup) {
  return setup.operands(1, 0, 1) && setup.expect(!setup.input(0).perImage && sameShape(setup.input(0), setup.output()),
                                                 "a whole input and an output of its shape");
}

constexpr Op list[] = {
    {"sumPerImage", checkSumPerImage},          {"sumAll", checkSumAll},
    {"reduceBatch", checkReduceBatch, true},    {"channelSum", checkChannelSum, true},
    {"allReduce", checkAllReduce, false, true},
};

}  // namespace

OpList reduceOps() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi
