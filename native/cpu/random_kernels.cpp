// Adapters of the random kernels: an image's numbers depend on the seed, its id, the stream and the element, and on
// nothing else.
#include "kernels/random.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

ImageShape shapeOf(const Value& value) {
  if (value.rank == 3) return {value.dims[0], value.dims[1], value.dims[2]};
  return {int32_t(value.elements), 1, 1};
}

Seed seedOf(const int32_t* words) { return {uint32_t(words[0]), uint32_t(words[1])}; }

void runUniform(const NodeRun& run) {
  ImageShape shape = shapeOf(run.outputValue());
  for (int32_t i = 0; i < run.images; i++) {
    randomUniform(shape, seedOf(run.inI32(0)), uint32_t(run.inI32(1)[i]), uint32_t(run.attribute(2)),
                  run.floatAttribute(0), run.floatAttribute(1), run.out() + size_t(i) * run.outputValue().elements);
  }
}

void runDropout(const NodeRun& run) {
  ImageShape shape = shapeOf(run.outputValue());
  for (int32_t i = 0; i < run.images; i++) {
    size_t at = size_t(i) * run.outputValue().elements;
    dropout(shape, seedOf(run.inI32(1)), uint32_t(run.inI32(2)[i]), uint32_t(run.attribute(1)), run.floatAttribute(0),
            run.in(0) + at, run.out() + at);
  }
}

constexpr Kernel list[] = {
    {.name = "randomUniform", .run = runUniform},
    {.name = "dropout", .run = runDropout},
};

}  // namespace

KernelList randomKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
