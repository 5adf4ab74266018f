// Adapters of the fully connected kernels.
#include "kernels/elementwise.h"
#include "kernels/linear.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

// x [N,K], weight [O,K], y [N,O]; x and y may be gradients. Within the bound, sizes of packed weights do not overflow
// 32 bits.
bool prepareLinear(NodeSetup& setup, const Value& x, const Value& weight, const Value& y) {
  constexpr uint64_t maxWeightFloats = 1 << 28;
  if (!setup.expect(isMatrixRow(x) && isMatrixRow(y) && !weight.perImage && weight.rank == 2 &&
                        weight.dims[1] == x.dims[0] && weight.dims[0] == y.dims[0],
                    "rows [N,K] and [N,O] with a weight [O,K]") ||
      !setup.expect(uint64_t(weight.dims[0] + 16) * uint64_t(weight.dims[1] + 16) < maxWeightFloats,
                    "a weight that fits in memory")) {
    return false;
  }
  setup.keep(LinearShape{weight.dims[1], weight.dims[0]});
  return true;
}

const LinearShape& shapeOf(const Node& node) { return *reinterpret_cast<const LinearShape*>(node.state); }

bool prepareForward(NodeSetup& setup) {
  if (!setup.operands(2, 1, 1) || !prepareLinear(setup, setup.input(0), setup.input(1), setup.output()) ||
      !setup.expect(!setup.hasInput(2) || (!setup.input(2).perImage && setup.input(2).rank == 1 &&
                                           setup.input(2).dims[0] == setup.output().dims[0]),
                    "a bias [O]")) {
    return false;
  }
  setup.node.packedFloats = linearPackedFloats(shapeOf(setup.node));
  return true;
}

void packForward(const NodeRun& run, float* packed) { linearPack(run.state<LinearShape>(), run.in(1), packed); }

void runForward(const NodeRun& run) {
  Epilogue epilogue = {.bias = run.in(2), .residual = nullptr, .reluMask = nullptr, .relu = run.attribute(0) != 0};
  linearForward(run.state<LinearShape>(), run.images, run.in(0), run.node.packed, epilogue, run.out());
}

bool prepareInputGrad(NodeSetup& setup) {
  if (!setup.operands(2, 2, 0) || !prepareLinear(setup, setup.output(), setup.input(1), setup.input(0))) return false;
  for (int32_t i = 2; i < 4; i++) {
    if (!setup.expect(!setup.hasInput(i) || sameShape(setup.input(i), setup.output()),
                      "a residual and a ReLU mask of the output's shape")) {
      return false;
    }
  }
  setup.node.packedFloats = linearInputGradPackedFloats(shapeOf(setup.node));
  return true;
}

void packInputGrad(const NodeRun& run, float* packed) {
  linearInputGradPack(run.state<LinearShape>(), run.in(1), packed);
}

void runInputGrad(const NodeRun& run) {
  Epilogue epilogue = {.bias = nullptr, .residual = run.in(2), .reluMask = run.in(3), .relu = false};
  linearInputGrad(run.state<LinearShape>(), run.images, run.in(0), run.node.packed, epilogue, run.out());
}

bool prepareWeightGrad(NodeSetup& setup) {
  if (!setup.operands(2, 0, 0) || !prepareLinear(setup, setup.input(0), setup.output(), setup.input(1))) return false;
  setup.node.accumulatorFloats = setup.output().elements;
  return true;
}

void accumulateWeightGrad(const NodeRun& run, float* accumulator) {
  linearWeightGradAccumulate(run.state<LinearShape>(), run.images, run.in(0), run.in(1), accumulator);
}

void finishWeightGrad(const NodeRun& run, const float* const* accumulators, int32_t count) {
  sumBuffers(accumulators, count, run.out(), run.outputValue().elements);
}

constexpr Kernel list[] = {
    {.name = "linear", .prepare = prepareForward, .run = runForward, .pack = packForward},
    {.name = "linearInputGrad", .prepare = prepareInputGrad, .run = runInputGrad, .pack = packInputGrad},
    {.name = "linearWeightGrad",
     .prepare = prepareWeightGrad,
     .accumulate = accumulateWeightGrad,
     .finish = finishWeightGrad},
};

}  // namespace

KernelList linearKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
