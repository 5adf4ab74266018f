// Adapters of the sums: over an image, over a whole value, over the images of the batch, and over the engines of a
// group.
#include "channel_sums.h"
#include "elementwise.cuh"

namespace rdi::cuda {
namespace {

void sumRows(const NodeRun& run, const Images& rows, int64_t elements, float* y, bool add) {
  run.stream.launch(run.node.op->name, rowSumKernel, dim3(unsigned(rows.most)), reduceThreads,
                    RowSumArguments{rows, elements, run.in(0), y, add}, reduceThreads * sizeof(float));
}

void runSumPerImage(const NodeRun& run) { sumRows(run, run.images, int64_t(run.value(0).elements), run.out(), false); }
void runSumAll(const NodeRun& run) { sumRows(run, {1, nullptr}, int64_t(run.value(0).elements), run.out(), false); }

void prepareReduceBatch(NodeView& view, const Device&) { view.node.accumulatorFloats = 1; }
void accumulateBatch(const NodeRun& run) { sumRows(run, {1, nullptr}, run.images.most, run.accumulator, true); }
void finishBatch(const NodeRun& run) {
  const float divideBy = run.attribute(0) != 0 ? float(run.total) : 1;
  const Extent one = {{1, nullptr}, 1};
  run.launch(fillKernel, one, FillArguments{one, {run.accumulator, 0}, 0, divideBy, run.out()});
}

void prepareChannelSum(NodeView& view, const Device&) {
  const int32_t channels = view.input(0).dims[0];
  view.node.accumulatorFloats = size_t(channels);
  view.node.scratchFloats = channelScratchFloats<SumState>(channels);
}
void accumulateChannelSum(const NodeRun& run) {
  ChannelArguments a = {};
  a.x = run.in(0);
  accumulateChannels<SumState>(run, run.value(0), a);
}
void finishChannelSum(const NodeRun& run) { run.stream.copy(run.out(), run.accumulator, run.outputValue().bytes()); }

// As a mean, what an engine has counts as its images do among all.
void runAllReduce(const NodeRun& run) {
  const size_t count = run.outputValue().elements;
  const float* from = run.in(0);
  if (run.attribute(0) != 0 && run.total != run.batch) {
    const Extent extent = run.extent(run.outputValue());
    run.launch(fillKernel, extent, FillArguments{extent, {from, 1}, 0, float(run.total) / float(run.batch), run.out()});
    from = run.out();
  }
  if (run.communicator) {
    run.communicator->sum(from, run.out(), count, run.stream);
  } else {
    run.stream.copy(run.out(), from, run.outputValue().bytes());
  }
}

constexpr Kernel list[] = {
    {.name = "sumPerImage", .run = runSumPerImage},
    {.name = "sumAll", .run = runSumAll},
    {.name = "reduceBatch", .prepare = prepareReduceBatch, .accumulate = accumulateBatch, .finish = finishBatch},
    {.name = "channelSum",
     .prepare = prepareChannelSum,
     .accumulate = accumulateChannelSum,
     .finish = finishChannelSum},
    {.name = "allReduce", .run = runAllReduce},
};

}  // namespace

KernelList reduceKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::cuda
