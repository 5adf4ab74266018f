// Adapters of the sums: over an image, over a whole value, and over the images of the batch.
#include "kernels/elementwise.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

bool prepareSumPerImage(NodeSetup& setup) {
  return setup.operands(1, 0, 0) &&
         setup.expect(setup.input(0).perImage && isImageScalar(setup.output()), "x [N,...] and an output [N]");
}

void runSumPerImage(const NodeRun& run) { sumRows(run.in(0), run.out(), run.images, run.value(0).elements); }

bool prepareSumAll(NodeSetup& setup) {
  return setup.operands(1, 0, 0) &&
         setup.expect(!setup.input(0).perImage && isWholeScalar(setup.output()), "a whole input and a scalar output");
}

void runSumAll(const NodeRun& run) { sumRows(run.in(0), run.out(), 1, run.value(0).elements); }

bool prepareReduceBatch(NodeSetup& setup) {
  if (!setup.operands(1, 0, 1) ||
      !setup.expect(isImageScalar(setup.input(0)) && isWholeScalar(setup.output()), "x [N] and a scalar output")) {
    return false;
  }
  setup.node.accumulatorFloats = 1;
  return true;
}

void accumulateBatch(const NodeRun& run, float* accumulator) {
  float sum;
  sumRows(run.in(0), &sum, 1, size_t(run.images));
  *accumulator += sum;
}

void finishBatch(const NodeRun& run, const float* const* accumulators, int32_t count) {
  sumBuffers(accumulators, count, run.out(), 1);
  if (run.attribute(0) != 0) *run.out() /= float(run.batch);
}

bool prepareChannelSum(NodeSetup& setup) {
  if (!setup.operands(1, 0, 0)) return false;
  const Value &dy = setup.input(0), &y = setup.output();
  if (!setup.expect((isImage(dy) || isMatrixRow(dy)) && !y.perImage && y.rank == 1 && y.dims[0] == dy.dims[0],
                    "dy [N,C] or [N,C,H,W] and an output [C]")) {
    return false;
  }
  setup.node.accumulatorFloats = y.elements;
  return true;
}

void accumulateChannels(const NodeRun& run, float* accumulator) {
  int32_t channels = run.value(0).dims[0];
  channelSumAccumulate(run.in(0), accumulator, size_t(run.images) * (run.value(0).elements / size_t(channels)),
                       channels);
}

void finishChannels(const NodeRun& run, const float* const* accumulators, int32_t count) {
  sumBuffers(accumulators, count, run.out(), run.outputValue().elements);
}

constexpr Kernel list[] = {
    {.name = "sumPerImage", .prepare = prepareSumPerImage, .run = runSumPerImage},
    {.name = "sumAll", .prepare = prepareSumAll, .run = runSumAll},
    {.name = "reduceBatch", .prepare = prepareReduceBatch, .accumulate = accumulateBatch, .finish = finishBatch},
    {.name = "channelSum", .prepare = prepareChannelSum, .accumulate = accumulateChannels, .finish = finishChannels},
};

}  // namespace

KernelList reduceKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
