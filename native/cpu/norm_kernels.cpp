// Adapters of batch normalisation with the statistics of the batch.
#include "kernels/batch_norm.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

// Rows of channels that the images in hand have.
size_t rowsOf(const Value& x, int32_t images) { return size_t(images) * (x.elements / size_t(x.dims[0])); }

void prepareMoments(NodeView& view) { view.node.accumulatorFloats = momentsAccumulatorFloats(view.input(0).dims[0]); }

void accumulateMoments(const NodeRun& run, float* accumulator) {
  const Value& x = run.value(0);
  momentsAccumulate(run.in(0), accumulator, rowsOf(x, run.images), x.dims[0]);
}

void finishMoments(const NodeRun& run, const float* const* accumulators, int32_t count) {
  momentsFinish(accumulators, count, run.out(), run.value(0).dims[0]);
}

void prepareNorm(NodeView& view) { view.node.scratchFloats = 2 * size_t(view.input(0).dims[0]); }

void runNorm(const NodeRun& run) {
  const Value& x = run.value(0);
  const BatchNormEpilogue epilogue = {run.in(4), run.attribute(1) != 0};
  batchNorm(run.in(0), run.in(1), run.in(2), run.in(3), run.floatAttribute(0), epilogue, run.out(),
            rowsOf(x, run.images), x.dims[0], run.scratch);
}

void prepareGradSums(NodeView& view) { view.node.accumulatorFloats = normGradAccumulatorFloats(view.input(1).dims[0]); }

void accumulateGradSums(const NodeRun& run, float* accumulator) {
  const Value& x = run.value(1);
  normGradAccumulate(run.in(0), run.in(1), run.in(2), accumulator, rowsOf(x, run.images), x.dims[0]);
}

void finishGradSums(const NodeRun& run, const float* const* accumulators, int32_t count) {
  normGradFinish(accumulators, count, run.in(2), run.floatAttribute(0), run.out(), run.value(1).dims[0]);
}

void prepareInputGrad(NodeView& view) { view.node.scratchFloats = 3 * size_t(view.input(1).dims[0]); }

void runInputGrad(const NodeRun& run) {
  const Value& x = run.value(1);
  const float count = float(rowsOf(x, run.batch));
  batchNormInputGrad(run.in(0), run.in(1), run.in(2), run.in(3), run.in(4), run.floatAttribute(0), count, run.out(),
                     rowsOf(x, run.images), x.dims[0], run.scratch);
}

void runRow(const NodeRun& run) {
  const Value& y = run.outputValue();
  copyBytes(run.out(), run.in(0) + size_t(run.attribute(0)) * y.elements, y.bytes());
}

constexpr Kernel list[] = {
    {.name = "channelMoments", .prepare = prepareMoments, .accumulate = accumulateMoments, .finish = finishMoments},
    {.name = "batchNorm", .prepare = prepareNorm, .run = runNorm},
    {.name = "batchNormGradSums",
     .prepare = prepareGradSums,
     .accumulate = accumulateGradSums,
     .finish = finishGradSums},
    {.name = "batchNormInputGrad", .prepare = prepareInputGrad, .run = runInputGrad},
    {.name = "row", .run = runRow},
};

}  // namespace

KernelList normKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
