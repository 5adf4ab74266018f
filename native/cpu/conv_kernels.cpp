// Adapters of the convolution kernels.
#include "kernels/conv2d.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

// What the operation's check left, with what is chosen here.
struct ConvState {
  ConvShape shape;
  ConvMethod method;
};

// Chooses the method for this pass; the last attribute says among which.
const ConvState& chooseMethod(NodeView& view, ConvPass pass) {
  const ConvShape shape = view.state<ConvShape>();
  const auto allowed = ConvMethods(view.attribute(view.node.attributeCount - 1));
  view.keep(ConvState{shape, conv2dMethod(shape, pass, allowed)});
  return view.state<ConvState>();
}

void prepareForward(NodeView& view) {
  const auto& [shape, method] = chooseMethod(view, ConvPass::Forward);
  view.node.packedFloats = conv2dPackedFloats(shape, method);
  view.node.scratchFloats = conv2dScratchFloats(shape, method, view.plan.tile);
}

void packForward(const NodeRun& run, float* packed) {
  const auto& [shape, method] = run.state<ConvState>();
  conv2dPack(shape, method, run.in(1), packed);
}

void runForward(const NodeRun& run) {
  const auto& [shape, method] = run.state<ConvState>();
  Epilogue epilogue = {.bias = run.in(2), .residual = run.in(3), .relu = run.attribute(3) != 0};
  conv2dForward(shape, method, run.images, run.in(0), run.node.packed, epilogue, run.out(), run.scratch, run.share);
}

void prepareInputGrad(NodeView& view) {
  const auto& [shape, method] = chooseMethod(view, ConvPass::InputGrad);
  view.node.packedFloats = conv2dInputGradPackedFloats(shape, method);
  view.node.scratchFloats = conv2dInputGradScratchFloats(shape, method, view.plan.tile);
}

void packInputGrad(const NodeRun& run, float* packed) {
  const auto& [shape, method] = run.state<ConvState>();
  conv2dInputGradPack(shape, method, run.in(1), packed);
}

void runInputGrad(const NodeRun& run) {
  const auto& [shape, method] = run.state<ConvState>();
  Epilogue epilogue = {.residual = run.in(2)};
  if (run.has(3) && isMaskBits(run.value(3))) {
    epilogue.reluBits = reinterpret_cast<const uint8_t*>(run.inI32(3));
  } else {
    epilogue.reluMask = run.in(3);
  }
  conv2dInputGrad(shape, method, run.images, run.in(0), run.node.packed, epilogue, run.out(), run.scratch, run.share);
}

void prepareWeightGrad(NodeView& view) {
  const auto& [shape, method] = chooseMethod(view, ConvPass::WeightGrad);
  view.node.accumulatorFloats = conv2dWeightGradAccumulatorFloats(shape, method);
  view.node.scratchFloats = conv2dWeightGradScratchFloats(shape, method, view.plan.tile);
}

void accumulateWeightGrad(const NodeRun& run, float* accumulator) {
  const auto& [shape, method] = run.state<ConvState>();
  conv2dWeightGradAccumulate(shape, method, run.images, run.in(0), run.in(1), accumulator, run.scratch);
}

void finishWeightGrad(const NodeRun& run, const float* const* accumulators, int32_t count) {
  const auto& [shape, method] = run.state<ConvState>();
  conv2dWeightGradFinish(shape, method, accumulators, count, run.out());
}

constexpr Kernel list[] = {
    {.name = "conv2d", .prepare = prepareForward, .run = runForward, .pack = packForward, .shares = true},
    {.name = "conv2dInputGrad",
     .prepare = prepareInputGrad,
     .run = runInputGrad,
     .pack = packInputGrad,
     .shares = true},
    {.name = "conv2dWeightGrad",
     .prepare = prepareWeightGrad,
     .accumulate = accumulateWeightGrad,
     .finish = finishWeightGrad},
};

}  // namespace

KernelList convKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
