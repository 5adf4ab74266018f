// Adapters of batch normalisation with the statistics of the batch.
#include "channel_sums.h"
#include "norm.cuh"

namespace rdi::cuda {
namespace {

void prepareMoments(NodeView& view, const Device&) {
  const int32_t channels = view.input(0).dims[0];
  view.node.accumulatorFloats = MomentsState::numbers * size_t(channels);
  view.node.scratchFloats = channelScratchFloats<MomentsState>(channels);
}
void accumulateMoments(const NodeRun& run) {
  ChannelArguments a = {};
  a.x = run.in(0);
  accumulateChannels<MomentsState>(run, run.value(0), a);
}
void finishMoments(const NodeRun& run) {
  const int32_t channels = run.value(0).dims[0];
  run.launch(momentsFinishKernel, channels, FinishArguments{channels, run.accumulator, nullptr, 0, run.out()});
}

void prepareGradSums(NodeView& view, const Device&) {
  const int32_t channels = view.input(1).dims[0];
  view.node.accumulatorFloats = GradSumsState::numbers * size_t(channels);
  view.node.scratchFloats = channelScratchFloats<GradSumsState>(channels);
}
void accumulateGradSums(const NodeRun& run) {
  ChannelArguments a = {};
  a.dy = run.in(0);
  a.x = run.in(1);
  a.moments = run.in(2);
  accumulateChannels<GradSumsState>(run, run.value(1), a);
}
void finishGradSums(const NodeRun& run) {
  const int32_t channels = run.value(1).dims[0];
  run.launch(gradSumsFinishKernel, channels,
             FinishArguments{channels, run.accumulator, run.in(2), run.floatAttribute(0), run.out()});
}

void runNorm(const NodeRun& run) {
  NormArguments a = {};
  a.extent = run.extent(run.outputValue());
  a.channels = run.value(0).dims[0];
  a.eps = run.floatAttribute(0);
  a.x = run.in(0);
  a.moments = run.in(1);
  a.weight = run.in(2);
  a.bias = run.in(3);
  a.residual = run.in(4);
  a.relu = run.attribute(1) != 0;
  a.y = run.out();
  run.launch(batchNormKernel, a.extent, a);
}

void runInputGrad(const NodeRun& run) {
  const Value& x = run.value(1);
  NormArguments a = {};
  a.extent = run.extent(run.outputValue());
  a.channels = x.dims[0];
  a.eps = run.floatAttribute(0);
  a.dy = run.in(0);
  a.x = run.in(1);
  a.moments = run.in(2);
  a.weight = run.in(3);
  a.sums = run.in(4);
  a.rows = float(int64_t(run.batch) * int64_t(x.elements) / a.channels);
  a.y = run.out();
  run.launch(batchNormInputGradKernel, a.extent, a);
}

void runRow(const NodeRun& run) {
  const Value& y = run.outputValue();
  run.stream.copy(run.out(), run.in(0) + size_t(run.attribute(0)) * y.elements, y.bytes());
}

constexpr Kernel list[] = {
    {.name = "channelMoments", .prepare = prepareMoments, .accumulate = accumulateMoments, .finish = finishMoments},
    {.name = "batchNorm", .run = runNorm},
    {.name = "batchNormGradSums",
     .prepare = prepareGradSums,
     .accumulate = accumulateGradSums,
     .finish = finishGradSums},
    {.name = "batchNormInputGrad", .run = runInputGrad},
    {.name = "row", .run = runRow},
};

}  // namespace

KernelList normKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::cuda
