// Adapters that move values: between the caller's NCHW and the engine's NHWC, between shapes, and from scalars and
// constants to tensors.
#include "kernels/elementwise.h"
#include "kernels/layout.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

void runCopy(const NodeRun& run) { copyBytes(run.out() + run.begin, run.in(0) + run.begin, (run.end - run.begin) * 4); }

void toNhwc(const Value& v, int32_t images, const float* from, float* to) {
  if (!v.hasLayout()) return copyBytes(to, from, size_t(images) * v.bytes());
  for (int32_t i = 0; i < images; i++)
    nchwToNhwc(from + size_t(i) * v.elements, to + size_t(i) * v.elements, v.dims[0], v.dims[1], v.dims[2]);
}

void toNchw(const Value& v, int32_t images, const float* from, float* to) {
  if (!v.hasLayout()) return copyBytes(to, from, size_t(images) * v.bytes());
  for (int32_t i = 0; i < images; i++)
    nhwcToNchw(from + size_t(i) * v.elements, to + size_t(i) * v.elements, v.dims[0], v.dims[1], v.dims[2]);
}

void runLoad(const NodeRun& run) {
  if (!run.outputValue().hasLayout()) return runCopy(run);
  toNhwc(run.outputValue(), run.images, run.in(0), run.out());
}

void runStore(const NodeRun& run) {
  if (!run.outputValue().hasLayout()) return runCopy(run);
  toNchw(run.outputValue(), run.images, run.in(0), run.out());
}

void prepareReshape(NodeView& view) {
  const Value &x = view.input(0), &y = view.output();
  view.node.scratchFloats = x.hasLayout() || y.hasLayout() ? x.elements * size_t(view.plan.tile) : 0;
}

// Elements keep their NCHW order, which in the arenas is not the order that they lie in. It goes through scratch,
// because the output may lie where the input does.
void runReshape(const NodeRun& run) {
  const Value &x = run.value(0), &y = run.outputValue();
  if (!x.hasLayout() && !y.hasLayout()) return runCopy(run);
  toNchw(x, run.images, run.in(0), run.scratch);
  toNhwc(y, run.images, run.scratch, run.out());
}

void runFill(const NodeRun& run) { fill(run.out() + run.begin, run.floatAttribute(0), run.end - run.begin); }

void runExpand(const NodeRun& run) {
  if (isWholeScalar(run.value(0))) {
    fill(run.out() + run.begin, *run.in(0), run.end - run.begin);
  } else {
    expandRows(run.in(0), run.out(), run.images, run.outputValue().elements);
  }
}

void runExpandBatch(const NodeRun& run) {
  fill(run.out(), run.attribute(0) != 0 ? *run.in(0) / float(run.batch) : *run.in(0), size_t(run.images));
}

constexpr Kernel list[] = {
    {.name = "load", .run = runLoad, .splits = true},
    {.name = "store", .run = runStore, .splits = true},
    {.name = "copy", .run = runCopy, .splits = true},
    {.name = "fill", .run = runFill, .splits = true},
    {.name = "reshape", .prepare = prepareReshape, .run = runReshape, .splits = true},
    {.name = "expand", .run = runExpand, .splits = true},
    {.name = "expandBatch", .run = runExpandBatch},
};

}  // namespace

KernelList layoutKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
