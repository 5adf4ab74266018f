// Adapters of batch normalisation with the statistics of the batch.
#include "kernels/batch_norm.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

bool isTable(const Value& v, int32_t rows, int32_t channels) {
  return !v.perImage && v.rank == 2 && v.dims[0] == rows && v.dims[1] == channels;
}
bool isVector(const Value& v, int32_t channels) { return !v.perImage && v.rank == 1 && v.dims[0] == channels; }

// Rows of channels that the images in hand have.
size_t rowsOf(const Value& x, int32_t images) { return size_t(images) * (x.elements / size_t(x.dims[0])); }

bool expectImages(NodeSetup& setup, const Value& x) {
  return setup.expect(isImage(x) || isMatrixRow(x), "x [N,C] or [N,C,H,W]");
}

bool prepareMoments(NodeSetup& setup) {
  if (!setup.operands(1, 0, 0) || !expectImages(setup, setup.input(0)) ||
      !setup.expect(isTable(setup.output(), 3, setup.input(0).dims[0]), "an output [3,C]")) {
    return false;
  }
  setup.node.accumulatorFloats = momentsAccumulatorFloats(setup.input(0).dims[0]);
  return true;
}

void accumulateMoments(const NodeRun& run, float* accumulator) {
  const Value& x = run.value(0);
  momentsAccumulate(run.in(0), accumulator, rowsOf(x, run.images), x.dims[0]);
}

void finishMoments(const NodeRun& run, const float* const* accumulators, int32_t count) {
  momentsFinish(accumulators, count, run.out(), run.value(0).dims[0]);
}

bool prepareNorm(NodeSetup& setup) {
  if (!setup.operands(4, 1, 2) || !expectImages(setup, setup.input(0))) return false;
  const Value &x = setup.input(0), &y = setup.output();
  const int32_t channels = x.dims[0];
  if (!setup.expect(sameShape(x, y) && (!setup.hasInput(4) || sameShape(setup.input(4), x)),
                    "an output and a residual of the input's shape") ||
      !setup.expect(isTable(setup.input(1), 3, channels) && isVector(setup.input(2), channels) &&
                        isVector(setup.input(3), channels),
                    "moments [3,C], weight [C] and bias [C]")) {
    return false;
  }
  setup.node.scratchFloats = 2 * size_t(channels);
  return true;
}

void runNorm(const NodeRun& run) {
  const Value& x = run.value(0);
  const BatchNormEpilogue epilogue = {run.in(4), run.attribute(1) != 0};
  batchNorm(run.in(0), run.in(1), run.in(2), run.in(3), run.floatAttribute(0), epilogue, run.out(),
            rowsOf(x, run.images), x.dims[0], run.scratch);
}

// dy, x and moments.
bool expectGradient(NodeSetup& setup) {
  return expectImages(setup, setup.input(1)) &&
         setup.expect(sameShape(setup.input(0), setup.input(1)), "dy and x of one shape") &&
         setup.expect(isTable(setup.input(2), 3, setup.input(1).dims[0]), "moments [3,C]");
}

bool prepareGradSums(NodeSetup& setup) {
  if (!setup.operands(3, 0, 1) || !expectGradient(setup)) return false;
  const int32_t channels = setup.input(1).dims[0];
  if (!setup.expect(isTable(setup.output(), 2, channels), "an output [2,C]")) return false;
  setup.node.accumulatorFloats = normGradAccumulatorFloats(channels);
  return true;
}

void accumulateGradSums(const NodeRun& run, float* accumulator) {
  const Value& x = run.value(1);
  normGradAccumulate(run.in(0), run.in(1), run.in(2), accumulator, rowsOf(x, run.images), x.dims[0]);
}

void finishGradSums(const NodeRun& run, const float* const* accumulators, int32_t count) {
  normGradFinish(accumulators, count, run.in(2), run.floatAttribute(0), run.out(), run.value(1).dims[0]);
}

bool prepareInputGrad(NodeSetup& setup) {
  if (!setup.operands(5, 0, 1) || !expectGradient(setup)) return false;
  const int32_t channels = setup.input(1).dims[0];
  if (!setup.expect(sameShape(setup.output(), setup.input(1)), "an output of the input's shape") ||
      !setup.expect(isVector(setup.input(3), channels) && isTable(setup.input(4), 2, channels),
                    "weight [C] and sums [2,C]")) {
    return false;
  }
  setup.node.scratchFloats = 3 * size_t(channels);
  return true;
}

void runInputGrad(const NodeRun& run) {
  const Value& x = run.value(1);
  const float count = float(rowsOf(x, run.batch));
  batchNormInputGrad(run.in(0), run.in(1), run.in(2), run.in(3), run.in(4), run.floatAttribute(0), count, run.out(),
                     rowsOf(x, run.images), x.dims[0], run.scratch);
}

bool prepareRow(NodeSetup& setup) {
  if (!setup.operands(1, 0, 1)) return false;
  const Value &x = setup.input(0), &y = setup.output();
  const int32_t index = setup.attribute(0);
  return setup.expect(!x.perImage && x.rank == 2 && index >= 0 && index < x.dims[0] && isVector(y, x.dims[1]),
                      "a row of a whole matrix [R,C] and an output [C]");
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
    {.name = "row", .prepare = prepareRow, .run = runRow},
};

}  // namespace

KernelList normKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
