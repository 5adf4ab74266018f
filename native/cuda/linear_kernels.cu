// Adapters of the fully connected layers.
#include "convolution.h"

namespace rdi::cuda {
namespace {

using kernels::ConvShape, kernels::LinearShape;

ConvShape shapeOf(const LinearShape& s) { return {s.inFeatures, 1, 1, s.outFeatures, 1, 1, 1, 1, 1, 0, 1}; }
ConvShape shapeOf(const NodeRun& run) { return shapeOf(run.state<LinearShape>()); }
ConvShape shapeOf(const NodeView& view) { return shapeOf(view.state<LinearShape>()); }

// In 32-bit floats, as PyTorch's are by default: they are a small part of the work, and the last word.
constexpr bool exact = true;

void prepareForward(NodeView& view, const Device&) {
  view.node.packedFloats = packedFloats(shapeOf(view), ConvPass::Forward);
}
void packForward(const NodeRun& run, float* packed) { packWeights(run, shapeOf(run), ConvPass::Forward, packed); }
void runForward(const NodeRun& run) {
  const ConvEpilogue epilogue = {.bias = run.in(2), .relu = run.attribute(0) != 0};
  convolve(run, shapeOf(run), ConvPass::Forward, run.in(0), epilogue, exact, run.out());
}

void prepareInputGrad(NodeView& view, const Device&) {
  view.node.packedFloats = packedFloats(shapeOf(view), ConvPass::InputGrad);
}
void packInputGrad(const NodeRun& run, float* packed) { packWeights(run, shapeOf(run), ConvPass::InputGrad, packed); }
void runInputGrad(const NodeRun& run) {
  const ConvEpilogue epilogue = {.residual = run.in(2), .mask = run.in(3)};
  convolve(run, shapeOf(run), ConvPass::InputGrad, run.in(0), epilogue, exact, run.out());
}

void prepareWeightGrad(NodeView& view, const Device& device) {
  view.node.accumulatorFloats = view.output().elements;
  view.node.scratchFloats = weightGradScratchFloats(shapeOf(view), device, view.plan.tile);
}
void accumulate(const NodeRun& run) { accumulateWeightGrad(run, shapeOf(run), run.in(0), run.in(1), exact); }

constexpr Kernel list[] = {
    {.name = "linear", .prepare = prepareForward, .run = runForward, .pack = packForward},
    {.name = "linearInputGrad", .prepare = prepareInputGrad, .run = runInputGrad, .pack = packInputGrad},
    {.name = "linearWeightGrad", .prepare = prepareWeightGrad, .accumulate = accumulate, .finish = finishWeightGrad},
};

}  // namespace

KernelList linearKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::cuda
