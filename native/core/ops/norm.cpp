// Batch normalisation with the statistics of the batch.
#include "families.h"

namespace rdi {
namespace {

bool isTable(const Value& v, int32_t rows, int32_t channels) {
  return !v.perImage && v.rank == 2 && v.dims[0] == rows && v.dims[1] == channels;
}
bool isVector(const Value& v, int32_t channels) { return !v.perImage && v.rank == 1 && v.dims[0] == channels; }

bool expectImages(NodeSetup& setup, const Value& x) {
  return setup.expect(isImage(x) || isMatrixRow(x), "x [N,C] or [N,C,H,W]");
}

bool checkMoments(NodeSetup& setup) {
  return setup.operands(1, 0, 0) && expectImages(setup, setup.input(0)) &&
         setup.expect(isTable(setup.output(), 3, setup.input(0).dims[0]), "an output [3,C]");
}

bool checkNorm(NodeSetup& setup) {
  if (!setup.operands(4, 1, 2) || !expectImages(setup, setup.input(0))) return false;
  const Value &x = setup.input(0), &y = setup.output();
  const int32_t channels = x.dims[0];
  return setup.expect(sameShape(x, y) && (!setup.hasInput(4) || sameShape(setup.input(4), x)),
                      "an output and a residual of the input's shape") &&
         setup.expect(isTable(setup.input(1), 3, channels) && isVector(setup.input(2), channels) &&
                          isVector(setup.input(3), channels),
                      "moments [3,C], weight [C] and bias [C]");
}

// dy, x and moments.
bool expectGradient(NodeSetup& setup) {
  return expectImages(setup, setup.input(1)) &&
         setup.expect(sameShape(setup.input(0), setup.input(1)), "dy and x of one shape") &&
         setup.expect(isTable(setup.input(2), 3, setup.input(1).dims[0]), "moments [3,C]");
}

bool checkGradSums(NodeSetup& setup) {
  if (!setup.operands(3, 0, 1) || !expectGradient(setup)) return false;
  const int32_t channels = setup.input(1).dims[0];
  return setup.expect(isTable(setup.output(), 2, channels), "an output [2,C]");
}

bool checkInputGrad(NodeSetup& setup) {
  if (!setup.operands(5, 0, 1) || !expectGradient(setup)) return false;
  const int32_t channels = setup.input(1).dims[0];
  return setup.expect(sameShape(setup.output(), setup.input(1)), "an output of the input's shape") &&
         setup.expect(isVector(setup.input(3), channels) && isTable(setup.input(4), 2, channels),
                      "weight [C] and sums [2,C]");
}

bool checkRow(NodeSetup& setup) {
  if (!setup.operands(1, 0, 1)) return false;
  const Value &x = setup.input(0), &y = setup.output();
  const int32_t index = setup.attribute(0);
  return setup.expect(!x.perImage && x.rank == 2 && index >= 0 && index < x.dims[0] && isVector(y, x.dims[1]),
                      "a row of a whole matrix [R,C] and an output [C]");
}

constexpr Op list[] = {
    {"channelMoments", checkMoments, true}, {"batchNorm", checkNorm}, {"batchNormGradSums", checkGradSums, true},
    {"batchNormInputGrad", checkInputGrad}, {"row", checkRow},
};

}  // namespace

OpList normOps() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi
