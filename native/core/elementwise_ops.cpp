// Adapters of the element-wise kernels. Per-image operands of one node share a layout, so that elements correspond
// place by place.
#include "kernels/elementwise.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

size_t length(const NodeRun& run) { return run.end - run.begin; }

bool prepareUnary(NodeSetup& setup) {
  return setup.operands(1, 0, 0) &&
         setup.expect(sameShape(setup.input(0), setup.output()), "an output of the input's shape");
}

template <UnaryOp op>
void runUnary(const NodeRun& run) {
  unary(op, run.in(0) + run.begin, run.out() + run.begin, length(run));
}

bool prepareAffine(NodeSetup& setup) {
  return setup.operands(1, 0, 2) &&
         setup.expect(sameShape(setup.input(0), setup.output()), "an output of the input's shape");
}

void runAffine(const NodeRun& run) {
  affine(run.in(0) + run.begin, run.floatAttribute(0), run.floatAttribute(1), run.out() + run.begin, length(run));
}

void runClamp(const NodeRun& run) {
  clamp(run.in(0) + run.begin, run.floatAttribute(0), run.floatAttribute(1), run.out() + run.begin, length(run));
}

bool prepareReluGrad(NodeSetup& setup) {
  return setup.operands(2, 0, 0) &&
         setup.expect(sameShape(setup.input(0), setup.output()) && sameShape(setup.input(1), setup.output()),
                      "three equal shapes");
}

void runReluGrad(const NodeRun& run) {
  binary(BinaryOp::ReluGrad, run.in(0) + run.begin, run.in(1) + run.begin, run.out() + run.begin, length(run));
}

// How an operand meets the output's elements.
enum class Operand : int32_t { Bad, Same, ImageScalar, WholeScalar };

Operand operandOf(const Value& value, const Value& output) {
  if (sameShape(value, output)) return Operand::Same;
  if (isWholeScalar(value)) return Operand::WholeScalar;
  return isImageScalar(value) && output.perImage ? Operand::ImageScalar : Operand::Bad;
}

struct BinaryState {
  Operand a, b;
};

bool prepareBinary(NodeSetup& setup) {
  if (!setup.operands(2, 0, 0)) return false;
  BinaryState state = {operandOf(setup.input(0), setup.output()), operandOf(setup.input(1), setup.output())};
  if (!setup.expect(
          state.a != Operand::Bad && state.b != Operand::Bad && (state.a == Operand::Same || state.b == Operand::Same),
          "equal shapes, or one operand of the output's shape and the other a scalar")) {
    return false;
  }
  setup.keep(state);
  return true;
}

template <BinaryOp op>
void runBinary(const NodeRun& run) {
  const auto& [a, b] = run.state<BinaryState>();
  const float *x = run.in(0), *y = run.in(1);
  float* out = run.out() + run.begin;
  size_t perImage = run.outputValue().elements;
  if (a == Operand::Same && b == Operand::Same) {
    binary(op, x + run.begin, y + run.begin, out, length(run));
  } else if (b == Operand::WholeScalar) {
    binaryScalarRight(op, x + run.begin, *y, out, length(run));
  } else if (a == Operand::WholeScalar) {
    binaryScalarLeft(op, *x, y + run.begin, out, length(run));
  } else if (b == Operand::ImageScalar) {
    binaryImageRight(op, x, y, run.out(), run.images, perImage);
  } else {
    binaryImageLeft(op, x, y, run.out(), run.images, perImage);
  }
}

bool prepareSelect(NodeSetup& setup) {
  if (!setup.counts(3, 0, 0)) return false;
  const Value &condition = setup.input(0), &a = setup.input(1), &b = setup.input(2), &y = setup.output();
  return setup.expect(isImageScalar(condition) && condition.dtype == DType::F32, "a condition [N] of f32") &&
         setup.expect(y.perImage && sameShape(a, y) && sameShape(b, y) && a.dtype == y.dtype && b.dtype == y.dtype,
                      "two choices of the output's shape and type");
}

void runSelect(const NodeRun& run) {
  selectRows(run.in(0), run.in(1), run.in(2), run.out(), run.images, run.outputValue().elements);
}

bool prepareChannelAffine(NodeSetup& setup) {
  if (!setup.operands(3, 0, 0)) return false;
  const Value &x = setup.input(0), &scale = setup.input(1), &shift = setup.input(2);
  return setup.expect(isImage(x) || isMatrixRow(x), "x [N,C] or [N,C,H,W]") &&
         setup.expect(sameShape(x, setup.output()), "an output of the input's shape") &&
         setup.expect(!scale.perImage && scale.rank == 1 && scale.dims[0] == x.dims[0] && sameShape(scale, shift),
                      "scale [C] and shift [C]");
}

void runChannelAffine(const NodeRun& run) {
  int32_t channels = run.value(0).dims[0];
  size_t rows = size_t(run.images) * (run.value(0).elements / size_t(channels));
  channelAffine(run.in(0), run.in(1), run.in(2), run.out(), rows, channels);
}

bool prepareScaleRows(NodeSetup& setup) {
  if (!setup.operands(2, 0, 0)) return false;
  const Value &w = setup.input(0), &scale = setup.input(1);
  return setup.expect(!w.perImage && w.rank >= 1 && sameShape(w, setup.output()),
                      "w [O,...] and an output of its shape") &&
         setup.expect(!scale.perImage && scale.rank == 1 && scale.dims[0] == w.dims[0], "a scale [O]");
}

void runScaleRows(const NodeRun& run) {
  const Value& w = run.value(0);
  scaleRows(run.in(0), run.in(1), run.out(), w.dims[0], w.elements / size_t(w.dims[0]));
}

template <UnaryOp op>
constexpr Kernel unaryKernel(const char* name) {
  return {.name = name, .prepare = prepareUnary, .run = runUnary<op>, .splits = true};
}

template <BinaryOp op>
constexpr Kernel binaryKernel(const char* name) {
  return {.name = name, .prepare = prepareBinary, .run = runBinary<op>, .splits = true};
}

constexpr Kernel list[] = {
    unaryKernel<UnaryOp::Relu>("relu"),
    unaryKernel<UnaryOp::Neg>("neg"),
    unaryKernel<UnaryOp::Exp>("exp"),
    unaryKernel<UnaryOp::Log>("log"),
    unaryKernel<UnaryOp::Sqrt>("sqrt"),
    unaryKernel<UnaryOp::Abs>("abs"),
    unaryKernel<UnaryOp::Sign>("sign"),
    binaryKernel<BinaryOp::Add>("add"),
    binaryKernel<BinaryOp::Sub>("sub"),
    binaryKernel<BinaryOp::Mul>("mul"),
    binaryKernel<BinaryOp::Div>("div"),
    binaryKernel<BinaryOp::Minimum>("minimum"),
    binaryKernel<BinaryOp::Maximum>("maximum"),
    binaryKernel<BinaryOp::Greater>("greater"),
    {.name = "reluGrad", .prepare = prepareReluGrad, .run = runReluGrad, .splits = true},
    {.name = "affine", .prepare = prepareAffine, .run = runAffine, .splits = true},
    {.name = "clamp", .prepare = prepareAffine, .run = runClamp, .splits = true},
    {.name = "select", .prepare = prepareSelect, .run = runSelect},
    {.name = "channelAffine", .prepare = prepareChannelAffine, .run = runChannelAffine},
    {.name = "scaleRows", .prepare = prepareScaleRows, .run = runScaleRows},
};

}  // namespace

KernelList elementwiseKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
