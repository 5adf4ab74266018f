// Operations on logits.
#include "families.h"

namespace rdi {
namespace {

bool checkSoftmax(NodeSetup& setup) {
  return setup.operands(1, 0, 0) &&
         setup.expect(isMatrixRow(setup.input(0)) && sameShape(setup.input(0), setup.output()),
                      "logits [N,classes] and an output of their shape");
}

bool expectScalarOfLogits(NodeSetup& setup) {
  return setup.expect(isMatrixRow(setup.input(0)) && isImageScalar(setup.output()),
                      "logits [N,classes] and an output [N]");
}

bool checkEntropy(NodeSetup& setup) { return setup.operands(1, 0, 0) && expectScalarOfLogits(setup); }
bool checkArgmax(NodeSetup& setup) { return setup.operands(1, 0, 0, 0, true) && expectScalarOfLogits(setup); }

bool checkCrossEntropy(NodeSetup& setup) {
  return setup.operands(2, 0, 0, 0b10) && expectScalarOfLogits(setup) &&
         setup.expect(isImageScalar(setup.input(1)), "labels [N]");
}

bool expectClasses(NodeSetup& setup, int32_t logits) {
  return setup.expect(setup.input(logits).dims[0] >= (setup.attribute(0) ? 3 : 2),
                      "logits of 2 classes or more, of 3 if scaled");
}

bool checkMargin(NodeSetup& setup) {
  return setup.operands(2, 0, 1, 0b10) && expectScalarOfLogits(setup) && expectClasses(setup, 0) &&
         setup.expect(isImageScalar(setup.input(1)), "labels [N]");
}

bool checkLossGrad(NodeSetup& setup, int32_t attributes) {
  return setup.operands(3, 0, attributes, 0b100) &&
         setup.expect(isImageScalar(setup.input(0)) && isMatrixRow(setup.input(1)) && isImageScalar(setup.input(2)) &&
                          sameShape(setup.input(1), setup.output()),
                      "ct [N], logits [N,classes], labels [N], and an output of the logits' shape");
}

bool checkCrossEntropyGrad(NodeSetup& setup) { return checkLossGrad(setup, 0); }
bool checkMarginGrad(NodeSetup& setup) { return checkLossGrad(setup, 1) && expectClasses(setup, 1); }

constexpr Op list[] = {
    {"softmax", checkSoftmax},
    {"entropy", checkEntropy},
    {"argmax", checkArgmax},
    {"crossEntropy", checkCrossEntropy},
    {"crossEntropyGrad", checkCrossEntropyGrad},
    {"uniformCrossEntropy", checkEntropy},
    {"margin", checkMargin},
    {"marginGrad", checkMarginGrad},
};

}  // namespace

OpList lossOps() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi
