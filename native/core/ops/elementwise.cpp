// Element-wise operations. Per-image operands of one node share a layout, so that elements correspond place by
// place.
#include "families.h"
#include "kernels/shapes.h"

namespace rdi {
namespace {

using namespace kernels;

bool checkUnary(NodeSetup& setup) {
  return setup.operands(1, 0, 0) &&
         setup.expect(sameShape(setup.input(0), setup.output()), "an output of the input's shape");
}

bool checkAffine(NodeSetup& setup) {
  return setup.operands(1, 0, 2) &&
         setup.expect(sameShape(setup.input(0), setup.output()), "an output of the input's shape");
}

bool checkReluGrad(NodeSetup& setup) {
  const uint32_t bits = setup.hasInput(1) && isMaskBits(setup.input(1)) ? 1u << 1 : 0;
  return setup.operands(2, 0, 0, bits) &&
         setup.expect(sameShape(setup.input(0), setup.output()) && isReluMask(setup.input(1), setup.output()),
                      "three equal shapes, or positiveBits for the second");
}

bool checkPositiveBits(NodeSetup& setup) {
  return setup.operands(1, 0, 0, 0, true) &&
         setup.expect(isMaskBits(setup.output()) && isReluMask(setup.output(), setup.input(0)),
                      "an image with a multiple of 16 channels and of 32 elements, and an output [elements / 32]");
}

Operand operandOf(const Value& value, const Value& output) {
  if (sameShape(value, output)) return Operand::Same;
  if (isWholeScalar(value)) return Operand::WholeScalar;
  return isImageScalar(value) && output.perImage ? Operand::ImageScalar : Operand::Bad;
}

bool checkBinary(NodeSetup& setup) {
  if (!setup.operands(2, 0, 0)) return false;
  BinaryOperands operands = {operandOf(setup.input(0), setup.output()), operandOf(setup.input(1), setup.output())};
  if (!setup.expect(operands.a != Operand::Bad && operands.b != Operand::Bad &&
                        (operands.a == Operand::Same || operands.b == Operand::Same),
                    "equal shapes, or one operand of the output's shape and the other a scalar")) {
    return false;
  }
  setup.keep(operands);
  return true;
}

bool checkSelect(NodeSetup& setup) {
  if (!setup.counts(3, 0, 0)) return false;
  const Value &condition = setup.input(0), &a = setup.input(1), &b = setup.input(2), &y = setup.output();
  return setup.expect(isImageScalar(condition) && condition.dtype == DType::F32, "a condition [N] of f32") &&
         setup.expect(y.perImage && sameShape(a, y) && sameShape(b, y) && a.dtype == y.dtype && b.dtype == y.dtype,
                      "two choices of the output's shape and type");
}

bool checkChannelAffine(NodeSetup& setup) {
  if (!setup.operands(3, 0, 0)) return false;
  const Value &x = setup.input(0), &scale = setup.input(1), &shift = setup.input(2);
  return setup.expect(isImage(x) || isMatrixRow(x), "x [N,C] or [N,C,H,W]") &&
         setup.expect(sameShape(x, setup.output()), "an output of the input's shape") &&
         setup.expect(!scale.perImage && scale.rank == 1 && scale.dims[0] == x.dims[0] && sameShape(scale, shift),
                      "scale [C] and shift [C]");
}

bool checkScaleRows(NodeSetup& setup) {
  if (!setup.operands(2, 0, 0)) return false;
  const Value &w = setup.input(0), &scale = setup.input(1);
  return setup.expect(!w.perImage && w.rank >= 1 && sameShape(w, setup.output()),
                      "w [O,...] and an output of its shape") &&
         setup.expect(!scale.perImage && scale.rank == 1 && scale.dims[0] == w.dims[0], "a scale [O]");
}

constexpr Op list[] = {
    {"relu", checkUnary},          {"neg", checkUnary},
    {"exp", checkUnary},           {"log", checkUnary},
    {"sqrt", checkUnary},          {"abs", checkUnary},
    {"sign", checkUnary},          {"add", checkBinary},
    {"sub", checkBinary},          {"mul", checkBinary},
    {"div", checkBinary},          {"minimum", checkBinary},
    {"maximum", checkBinary},      {"greater", checkBinary},
    {"reluGrad", checkReluGrad},   {"positiveBits", checkPositiveBits},
    {"affine", checkAffine},       {"clamp", checkAffine},
    {"select", checkSelect},       {"channelAffine", checkChannelAffine},
    {"scaleRows", checkScaleRows},
};

}  // namespace

OpList elementwiseOps() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi
