// Adapters of the convolutions.
#include "convolution.h"

namespace rdi::cuda {
namespace {

using kernels::ConvShape;

// The last attribute: 2 for plain sums of products.
bool isExact(const NodeRun& run) { return run.attribute(run.node.attributeCount - 1) == 2; }

void prepareForward(NodeView& view, const Device&) {
  view.node.packedFloats = packedFloats(view.state<ConvShape>(), ConvPass::Forward);
}
void packForward(const NodeRun& run, float* packed) {
  packWeights(run, run.state<ConvShape>(), ConvPass::Forward, packed);
}
void runForward(const NodeRun& run) {
  const ConvEpilogue epilogue = {.bias = run.in(2), .residual = run.in(3), .relu = run.attribute(3) != 0};
  convolve(run, run.state<ConvShape>(), ConvPass::Forward, run.in(0), epilogue, isExact(run), run.out());
}

void prepareInputGrad(NodeView& view, const Device&) {
  view.node.packedFloats = packedFloats(view.state<ConvShape>(), ConvPass::InputGrad);
}
void packInputGrad(const NodeRun& run, float* packed) {
  packWeights(run, run.state<ConvShape>(), ConvPass::InputGrad, packed);
}
void runInputGrad(const NodeRun& run) {
  ConvEpilogue epilogue = {.residual = run.in(2)};
  if (run.has(3) && isMaskBits(run.value(3))) {
    epilogue.maskBits = reinterpret_cast<const uint32_t*>(run.inI32(3));
  } else {
    epilogue.mask = run.in(3);
  }
  convolve(run, run.state<ConvShape>(), ConvPass::InputGrad, run.in(0), epilogue, isExact(run), run.out());
}

void prepareWeightGrad(NodeView& view, const Device& device) {
  view.node.accumulatorFloats = view.output().elements;
  view.node.scratchFloats = weightGradScratchFloats(view.state<ConvShape>(), device, view.plan.tile);
}
void accumulate(const NodeRun& run) {
  accumulateWeightGrad(run, run.state<ConvShape>(), run.in(0), run.in(1), isExact(run));
}

constexpr Kernel list[] = {
    {.name = "conv2d", .prepare = prepareForward, .run = runForward, .pack = packForward},
    {.name = "conv2dInputGrad", .prepare = prepareInputGrad, .run = runInputGrad, .pack = packInputGrad},
    {.name = "conv2dWeightGrad", .prepare = prepareWeightGrad, .accumulate = accumulate, .finish = finishWeightGrad},
};

}  // namespace

KernelList convKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::cuda
