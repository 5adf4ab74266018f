// Adapters of the kernels in integers.
#include "kernels/quantized.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

// What the operation's check left, with what is chosen here.
struct QuantizedState {
  QuantizedShape shape;
  int32_t method;
};

void prepare(NodeView& view) {
  const QuantizedShape shape = view.state<QuantizedShape>();
  const int32_t method = quantizedMethod(shape);
  view.keep(QuantizedState{shape, method});
  view.node.packedFloats = quantizedPackedFloats(shape, method);
  view.node.scratchFloats = quantizedScratchFloats(shape, method, view.plan.tile);
}

void pack(const NodeRun& run, float* packed) {
  const auto& [shape, method] = run.state<QuantizedState>();
  quantizedPack(shape, method, reinterpret_cast<const int8_t*>(run.inI32(1)), packed);
}

void forward(const NodeRun& run, bool relu) {
  const auto& [shape, method] = run.state<QuantizedState>();
  const QuantizedEpilogue epilogue = {.scale = run.in(2), .bias = run.in(3), .residual = run.in(4), .relu = relu};
  quantizedForward(shape, method, run.images, run.in(0), run.node.packed, epilogue, run.out(), run.scratch);
}

void runConv(const NodeRun& run) { forward(run, run.attribute(4) != 0); }
void runLinear(const NodeRun& run) { forward(run, run.attribute(0) != 0); }

constexpr Kernel list[] = {
    {.name = "quantizedConv2d", .prepare = prepare, .run = runConv, .pack = pack},
    {.name = "quantizedLinear", .prepare = prepare, .run = runLinear, .pack = pack},
};

}  // namespace

KernelList quantizedKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
