// Adapters of the convolution kernels.
#include "kernels/conv2d.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

struct ConvState {
  ConvShape shape;
  ConvMethod method;
};

// Sizes in the kernels are computed in size_t, of 32 bits in WebAssembly; within these bounds none of them overflows.
constexpr int32_t maxKernel = 64;
constexpr uint64_t maxTileFloats = 1 << 26;
constexpr uint64_t maxWeightFloats = 1 << 26;

bool fits(const NodeSetup& setup, const ConvShape& s) {
  auto image = [&](int32_t channels, int32_t height, int32_t width) {
    uint64_t padded = uint64_t(height + 2 * maxKernel) * uint64_t(width + 2 * maxKernel);
    return padded < maxTileFloats && padded * uint64_t(channels) < maxTileFloats * 16 / uint64_t(setup.plan.tile);
  };
  uint64_t weights = uint64_t(s.groups) * uint64_t(s.inChannels / s.groups + 16) *
                     uint64_t(s.outChannels / s.groups + 16) * uint64_t(s.kernelHeight * s.kernelWidth);
  return image(s.inChannels, s.inHeight, s.inWidth) && image(s.outChannels, s.outHeight, s.outWidth) &&
         weights < maxWeightFloats;
}

// Checks the three tensors and the attributes that all passes share, and keeps the shape with the method for this pass.
bool prepareConv(NodeSetup& setup, const Value& x, const Value& weight, const Value& y, ConvPass pass) {
  if (!setup.expect(isImage(x) && isImage(y) && !weight.perImage && weight.rank == 4,
                    "images [N,C,H,W] and a weight [O,C/groups,K,K]")) {
    return false;
  }
  int32_t stride = setup.attribute(0), padding = setup.attribute(1), groups = setup.attribute(2);
  ConvShape s = {x.dims[0],      x.dims[1],      x.dims[2], y.dims[0], y.dims[1], y.dims[2],
                 weight.dims[2], weight.dims[3], stride,    padding,   groups};
  int32_t smallerSide = s.kernelHeight < s.kernelWidth ? s.kernelHeight : s.kernelWidth;
  if (!setup.expect(s.kernelHeight <= maxKernel && s.kernelWidth <= maxKernel && stride >= 1 && stride <= maxKernel &&
                        padding >= 0 && padding < smallerSide,
                    "a kernel of 1 to 64, a stride of 1 to 64, and a padding of 0 to kernel - 1") ||
      !setup.expect(groups >= 1 && s.inChannels % groups == 0 && s.outChannels % groups == 0,
                    "a number of groups that divides both channel counts") ||
      !setup.expect(weight.dims[0] == s.outChannels && weight.dims[1] == s.inChannels / groups,
                    "a weight [O,C/groups,K,K] of the images' channels") ||
      !setup.expect(s.kernelHeight <= s.inHeight + 2 * padding && s.kernelWidth <= s.inWidth + 2 * padding &&
                        s.outHeight == (s.inHeight + 2 * padding - s.kernelHeight) / stride + 1 &&
                        s.outWidth == (s.inWidth + 2 * padding - s.kernelWidth) / stride + 1,
                    "the output's size to be (input + 2 padding - kernel) / stride + 1") ||
      !setup.expect(fits(setup, s), "a convolution that fits in memory")) {
    return false;
  }
  // The last attribute of each pass.
  int32_t allowed = setup.attribute(setup.node.attributeCount - 1);
  if (!setup.expect(allowed >= 0 && allowed <= 2, "0, 1 or 2 for the methods that are allowed")) return false;
  setup.keep(ConvState{s, conv2dMethod(s, pass, ConvMethods(allowed))});
  return true;
}

const ConvState& stateOf(const Node& node) { return *reinterpret_cast<const ConvState*>(node.state); }

bool prepareForward(NodeSetup& setup) {
  if (!setup.operands(2, 2, 5) ||
      !prepareConv(setup, setup.input(0), setup.input(1), setup.output(), ConvPass::Forward))
    return false;
  const Value& y = setup.output();
  if (!setup.expect(!setup.hasInput(2) ||
                        (!setup.input(2).perImage && setup.input(2).rank == 1 && setup.input(2).dims[0] == y.dims[0]),
                    "a bias [O]") ||
      !setup.expect(!setup.hasInput(3) || sameShape(setup.input(3), y), "a residual of the output's shape")) {
    return false;
  }
  const auto& [shape, method] = stateOf(setup.node);
  setup.node.packedFloats = conv2dPackedFloats(shape, method);
  setup.node.scratchFloats = conv2dScratchFloats(shape, method, setup.plan.tile);
  return true;
}

void packForward(const NodeRun& run, float* packed) {
  const auto& [shape, method] = run.state<ConvState>();
  conv2dPack(shape, method, run.in(1), packed);
}

void runForward(const NodeRun& run) {
  const auto& [shape, method] = run.state<ConvState>();
  Epilogue epilogue = {.bias = run.in(2), .residual = run.in(3), .reluMask = nullptr, .relu = run.attribute(3) != 0};
  conv2dForward(shape, method, run.images, run.in(0), run.node.packed, epilogue, run.out(), run.scratch);
}

bool prepareInputGrad(NodeSetup& setup) {
  if (!setup.operands(2, 2, 4) ||
      !prepareConv(setup, setup.output(), setup.input(1), setup.input(0), ConvPass::InputGrad))
    return false;
  for (int32_t i = 2; i < 4; i++) {
    if (!setup.expect(!setup.hasInput(i) || sameShape(setup.input(i), setup.output()),
                      "a residual and a ReLU mask of the output's shape")) {
      return false;
    }
  }
  const auto& [shape, method] = stateOf(setup.node);
  setup.node.packedFloats = conv2dInputGradPackedFloats(shape, method);
  setup.node.scratchFloats = conv2dInputGradScratchFloats(shape, method, setup.plan.tile);
  return true;
}

void packInputGrad(const NodeRun& run, float* packed) {
  const auto& [shape, method] = run.state<ConvState>();
  conv2dInputGradPack(shape, method, run.in(1), packed);
}

void runInputGrad(const NodeRun& run) {
  const auto& [shape, method] = run.state<ConvState>();
  Epilogue epilogue = {.bias = nullptr, .residual = run.in(2), .reluMask = run.in(3), .relu = false};
  conv2dInputGrad(shape, method, run.images, run.in(0), run.node.packed, epilogue, run.out(), run.scratch);
}

bool prepareWeightGrad(NodeSetup& setup) {
  if (!setup.operands(2, 0, 4) ||
      !prepareConv(setup, setup.input(0), setup.output(), setup.input(1), ConvPass::WeightGrad))
    return false;
  const auto& [shape, method] = stateOf(setup.node);
  setup.node.accumulatorFloats = conv2dWeightGradAccumulatorFloats(shape, method);
  setup.node.scratchFloats = conv2dWeightGradScratchFloats(shape, method, setup.plan.tile);
  return true;
}

void accumulateWeightGrad(const NodeRun& run, float* accumulator) {
  const auto& [shape, method] = run.state<ConvState>();
  conv2dWeightGradAccumulate(shape, method, run.images, run.in(0), run.in(1), accumulator, run.scratch);
}

void finishWeightGrad(const NodeRun& run, const float* const* accumulators, int32_t count) {
  const auto& [shape, method] = run.state<ConvState>();
  conv2dWeightGradFinish(shape, method, accumulators, count, run.out());
}

constexpr Kernel list[] = {
    {.name = "conv2d", .prepare = prepareForward, .run = runForward, .pack = packForward},
    {.name = "conv2dInputGrad", .prepare = prepareInputGrad, .run = runInputGrad, .pack = packInputGrad},
    {.name = "conv2dWeightGrad",
     .prepare = prepareWeightGrad,
     .accumulate = accumulateWeightGrad,
     .finish = finishWeightGrad},
};

}  // namespace

KernelList convKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
