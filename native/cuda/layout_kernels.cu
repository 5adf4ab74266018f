// Adapters that move values: between the caller's NCHW and the engine's NHWC, between shapes, and from scalars and
// constants to tensors.
#include "elementwise.cuh"
#include "kernel.h"
#include "layout.cuh"

namespace rdi::cuda {
namespace {

void copy(const NodeRun& run, const Value& value, const float* from, float* to) {
  if (from == to) return;
  const Extent extent = run.extent(value);
  run.launch(copyKernel, extent, CopyArguments{extent, from, to});
}

// Values without two layouts are copied.
void change(const NodeRun& run, const Value& v, void (*kernel)(LayoutArguments), const float* from, float* to) {
  if (!v.hasLayout()) return copy(run, v, from, to);
  run.launch(kernel, run.extent(v), LayoutArguments{run.images, v.dims[0], int64_t(v.dims[1]) * v.dims[2], from, to});
}

void runCopy(const NodeRun& run) { copy(run, run.outputValue(), run.in(0), run.out()); }
void runLoad(const NodeRun& run) { change(run, run.outputValue(), nchwToNhwcKernel, run.in(0), run.out()); }
void runStore(const NodeRun& run) { change(run, run.outputValue(), nhwcToNchwKernel, run.in(0), run.out()); }

void prepareReshape(NodeView& view, const Device&) {
  const Value& x = view.input(0);
  view.node.scratchFloats = x.hasLayout() || view.output().hasLayout() ? x.elements * size_t(view.plan.tile) : 0;
}

// Elements keep their NCHW order, which in the arenas is not the order that they lie in. It goes through scratch,
// because the output may lie where the input does.
void runReshape(const NodeRun& run) {
  const Value &x = run.value(0), &y = run.outputValue();
  if (!x.hasLayout() && !y.hasLayout()) return runCopy(run);
  change(run, x, nhwcToNchwKernel, run.in(0), run.scratch);
  change(run, y, nchwToNhwcKernel, run.scratch, run.out());
}

void fill(const NodeRun& run, const Spread& from, float value, float divideBy) {
  const Extent extent = run.extent(run.outputValue());
  run.launch(fillKernel, extent, FillArguments{extent, from, value, divideBy, run.out()});
}

void runFill(const NodeRun& run) { fill(run, {}, run.floatAttribute(0), 1); }
void runExpand(const NodeRun& run) {
  fill(run, {run.in(0), isWholeScalar(run.value(0)) ? 0 : int64_t(run.outputValue().elements)}, 0, 1);
}
void runExpandBatch(const NodeRun& run) { fill(run, {run.in(0), 0}, 0, run.attribute(0) ? float(run.total) : 1); }

constexpr Kernel list[] = {
    {.name = "load", .run = runLoad},
    {.name = "store", .run = runStore},
    {.name = "copy", .run = runCopy},
    {.name = "fill", .run = runFill},
    {.name = "reshape", .prepare = prepareReshape, .run = runReshape},
    {.name = "expand", .run = runExpand},
    {.name = "expandBatch", .run = runExpandBatch},
};

}  // namespace

KernelList layoutKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::cuda
