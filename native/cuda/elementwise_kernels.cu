// Adapters of the element-wise operations.
#include "elementwise.cuh"
#include "kernel.h"
#include "kernels/shapes.h"

namespace rdi::cuda {
namespace {

using kernels::BinaryOperands, kernels::Operand;

template <class F, bool attributes = false>
void runUnary(const NodeRun& run) {
  const Extent extent = run.extent(run.outputValue());
  run.launch(unaryKernel<F>, extent,
             UnaryArguments{extent, run.in(0), run.out(), attributes ? run.floatAttribute(0) : 0,
                            attributes ? run.floatAttribute(1) : 0});
}

Spread spread(const NodeRun& run, Operand operand, int32_t input) {
  const int64_t elements = int64_t(run.outputValue().elements);
  return {run.in(input), operand == Operand::Same ? 1 : operand == Operand::ImageScalar ? elements : 0};
}

template <class F>
void runBinary(const NodeRun& run) {
  const auto& operands = run.state<BinaryOperands>();
  const Extent extent = run.extent(run.outputValue());
  run.launch(binaryKernel<F>, extent,
             BinaryArguments{extent, spread(run, operands.a, 0), spread(run, operands.b, 1), run.out()});
}

void runReluGrad(const NodeRun& run) {
  const Extent extent = run.extent(run.outputValue());
  if (isMaskBits(run.value(1))) {
    const auto bits = reinterpret_cast<const uint32_t*>(run.inI32(1));
    run.launch(keepWhereSetKernel, extent, KeepWhereSetArguments{extent, run.in(0), bits, run.out()});
  } else {
    run.launch(binaryKernel<ReluGrad>, extent, BinaryArguments{extent, {run.in(0), 1}, {run.in(1), 1}, run.out()});
  }
}

void runPositiveBits(const NodeRun& run) {
  const Extent extent = run.extent(run.outputValue());
  const auto bits = reinterpret_cast<uint32_t*>(run.out());
  run.launch(positiveBitsKernel, extent, PositiveBitsArguments{extent, run.in(0), bits});
}

void runSelect(const NodeRun& run) {
  const Extent extent = run.extent(run.outputValue());
  run.launch(selectKernel, extent, SelectArguments{extent, run.in(0), run.in(1), run.in(2), run.out()});
}

void runChannelAffine(const NodeRun& run) {
  const Extent extent = run.extent(run.outputValue());
  run.launch(channelAffineKernel, extent,
             ChannelAffineArguments{extent, run.value(0).dims[0], run.in(0), run.in(1), run.in(2), run.out()});
}

void runScaleRows(const NodeRun& run) {
  const Value& w = run.value(0);
  const auto count = int64_t(w.elements);
  run.launch(scaleRowsKernel, count, ScaleRowsArguments{count, count / w.dims[0], run.in(0), run.in(1), run.out()});
}

constexpr Kernel list[] = {
    {.name = "relu", .run = runUnary<Relu>},
    {.name = "neg", .run = runUnary<Neg>},
    {.name = "exp", .run = runUnary<Exp>},
    {.name = "log", .run = runUnary<Log>},
    {.name = "sqrt", .run = runUnary<Sqrt>},
    {.name = "abs", .run = runUnary<Abs>},
    {.name = "sign", .run = runUnary<Sign>},
    {.name = "affine", .run = runUnary<Affine, true>},
    {.name = "clamp", .run = runUnary<Clamp, true>},
    {.name = "add", .run = runBinary<Add>},
    {.name = "sub", .run = runBinary<Sub>},
    {.name = "mul", .run = runBinary<Mul>},
    {.name = "div", .run = runBinary<Div>},
    {.name = "minimum", .run = runBinary<Minimum>},
    {.name = "maximum", .run = runBinary<Maximum>},
    {.name = "greater", .run = runBinary<Greater>},
    {.name = "reluGrad", .run = runReluGrad},
    {.name = "positiveBits", .run = runPositiveBits},
    {.name = "select", .run = runSelect},
    {.name = "channelAffine", .run = runChannelAffine},
    {.name = "scaleRows", .run = runScaleRows},
};

}  // namespace

KernelList elementwiseKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::cuda
