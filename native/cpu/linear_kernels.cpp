// Adapters of the fully connected kernels.
#include "kernels/elementwise.h"
#include "kernels/linear.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

void prepareForward(NodeView& view) { view.node.packedFloats = linearPackedFloats(view.state<LinearShape>()); }

void packForward(const NodeRun& run, float* packed) { linearPack(run.state<LinearShape>(), run.in(1), packed); }

void runForward(const NodeRun& run) {
  Epilogue epilogue = {.bias = run.in(2), .relu = run.attribute(0) != 0};
  linearForward(run.state<LinearShape>(), run.images, run.in(0), run.node.packed, epilogue, run.out(), run.share);
}

void prepareInputGrad(NodeView& view) {
  view.node.packedFloats = linearInputGradPackedFloats(view.state<LinearShape>());
}

void packInputGrad(const NodeRun& run, float* packed) {
  linearInputGradPack(run.state<LinearShape>(), run.in(1), packed);
}

void runInputGrad(const NodeRun& run) {
  Epilogue epilogue = {.residual = run.in(2), .reluMask = run.in(3)};
  linearInputGrad(run.state<LinearShape>(), run.images, run.in(0), run.node.packed, epilogue, run.out(), run.share);
}

void prepareWeightGrad(NodeView& view) { view.node.accumulatorFloats = view.output().elements; }

void accumulateWeightGrad(const NodeRun& run, float* accumulator) {
  linearWeightGradAccumulate(run.state<LinearShape>(), run.images, run.in(0), run.in(1), accumulator);
}

void finishWeightGrad(const NodeRun& run, const float* const* accumulators, int32_t count) {
  sumBuffers(accumulators, count, run.out(), run.outputValue().elements);
}

constexpr Kernel list[] = {
    {.name = "linear", .prepare = prepareForward, .run = runForward, .pack = packForward, .shares = true},
    {.name = "linearInputGrad",
     .prepare = prepareInputGrad,
     .run = runInputGrad,
     .pack = packInputGrad,
     .shares = true},
    {.name = "linearWeightGrad",
     .prepare = prepareWeightGrad,
     .accumulate = accumulateWeightGrad,
     .finish = finishWeightGrad},
};

}  // namespace

KernelList linearKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
