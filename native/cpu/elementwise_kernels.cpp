// Adapters of the element-wise kernels. Per-image operands of one node share a layout, so that elements correspond
// place by place.
#include "kernels/elementwise.h"
#include "kernels/shapes.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

size_t length(const NodeRun& run) { return run.end - run.begin; }

template <UnaryOp op>
void runUnary(const NodeRun& run) {
  unary(op, run.in(0) + run.begin, run.out() + run.begin, length(run));
}

void runAffine(const NodeRun& run) {
  affine(run.in(0) + run.begin, run.floatAttribute(0), run.floatAttribute(1), run.out() + run.begin, length(run));
}

void runClamp(const NodeRun& run) {
  clamp(run.in(0) + run.begin, run.floatAttribute(0), run.floatAttribute(1), run.out() + run.begin, length(run));
}

void runReluGrad(const NodeRun& run) {
  if (isMaskBits(run.value(1))) {
    keepWhereSet(run.in(0), reinterpret_cast<const uint32_t*>(run.inI32(1)), run.out(), run.end);
    return;
  }
  binary(BinaryOp::ReluGrad, run.in(0) + run.begin, run.in(1) + run.begin, run.out() + run.begin, length(run));
}

void runPositiveBits(const NodeRun& run) {
  positiveBits(run.in(0), reinterpret_cast<uint32_t*>(run.outI32()), size_t(run.images) * run.value(0).elements);
}

template <BinaryOp op>
void runBinary(const NodeRun& run) {
  const auto& [a, b] = run.state<BinaryOperands>();
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

void runSelect(const NodeRun& run) {
  selectRows(run.in(0), run.in(1), run.in(2), run.out(), run.images, run.outputValue().elements);
}

void runChannelAffine(const NodeRun& run) {
  int32_t channels = run.value(0).dims[0];
  size_t rows = size_t(run.images) * (run.value(0).elements / size_t(channels));
  channelAffine(run.in(0), run.in(1), run.in(2), run.out(), rows, channels);
}

void runScaleRows(const NodeRun& run) {
  const Value& w = run.value(0);
  scaleRows(run.in(0), run.in(1), run.out(), w.dims[0], w.elements / size_t(w.dims[0]));
}

template <UnaryOp op>
constexpr Kernel unaryKernel(const char* name) {
  return {.name = name, .run = runUnary<op>, .splits = true};
}

template <BinaryOp op>
constexpr Kernel binaryKernel(const char* name) {
  return {.name = name, .run = runBinary<op>, .splits = true};
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
    {.name = "reluGrad", .run = runReluGrad, .splits = true},
    {.name = "positiveBits", .run = runPositiveBits},
    {.name = "affine", .run = runAffine, .splits = true},
    {.name = "clamp", .run = runClamp, .splits = true},
    {.name = "select", .run = runSelect},
    {.name = "channelAffine", .run = runChannelAffine},
    {.name = "scaleRows", .run = runScaleRows},
};

}  // namespace

KernelList elementwiseKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
