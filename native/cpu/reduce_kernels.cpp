// Adapters of the sums: over an image, over a whole value, over the images of the batch, and over a group, which on the
// processor is one engine.
#include "kernels/elementwise.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

void runSumPerImage(const NodeRun& run) { sumRows(run.in(0), run.out(), run.images, run.value(0).elements); }

void runSumAll(const NodeRun& run) { sumRows(run.in(0), run.out(), 1, run.value(0).elements); }

void prepareReduceBatch(NodeView& view) { view.node.accumulatorFloats = 1; }

void accumulateBatch(const NodeRun& run, float* accumulator) {
  float sum;
  sumRows(run.in(0), &sum, 1, size_t(run.images));
  *accumulator += sum;
}

void finishBatch(const NodeRun& run, const float* const* accumulators, int32_t count) {
  sumBuffers(accumulators, count, run.out(), 1);
  if (run.attribute(0) != 0) *run.out() /= float(run.batch);
}

void prepareChannelSum(NodeView& view) { view.node.accumulatorFloats = view.output().elements; }

void accumulateChannels(const NodeRun& run, float* accumulator) {
  int32_t channels = run.value(0).dims[0];
  channelSumAccumulate(run.in(0), accumulator, size_t(run.images) * (run.value(0).elements / size_t(channels)),
                       channels);
}

void finishChannels(const NodeRun& run, const float* const* accumulators, int32_t count) {
  sumBuffers(accumulators, count, run.out(), run.outputValue().elements);
}

void runAllReduce(const NodeRun& run) {
  copyBytes(run.out() + run.begin, run.in(0) + run.begin, (run.end - run.begin) * sizeof(float));
}

constexpr Kernel list[] = {
    {.name = "sumPerImage", .run = runSumPerImage},
    {.name = "sumAll", .run = runSumAll},
    {.name = "reduceBatch", .prepare = prepareReduceBatch, .accumulate = accumulateBatch, .finish = finishBatch},
    {.name = "allReduce", .run = runAllReduce, .splits = true},
    {.name = "channelSum", .prepare = prepareChannelSum, .accumulate = accumulateChannels, .finish = finishChannels},
};

}  // namespace

KernelList reduceKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
