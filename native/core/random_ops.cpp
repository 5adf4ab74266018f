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

bool expectSeedAndIds(NodeSetup& setup, const Value& seed, const Value& ids) {
  return setup.expect(!seed.perImage && seed.rank == 1 && seed.dims[0] == 2 && isImageScalar(ids),
                      "a seed [2] and ids [N]");
}

bool prepareUniform(NodeSetup& setup) {
  return setup.operands(2, 0, 3, 0b11) && expectSeedAndIds(setup, setup.input(0), setup.input(1)) &&
         setup.expect(setup.output().perImage, "an output [N,...]");
}

void runUniform(const NodeRun& run) {
  ImageShape shape = shapeOf(run.outputValue());
  for (int32_t i = 0; i < run.images; i++) {
    randomUniform(shape, seedOf(run.inI32(0)), uint32_t(run.inI32(1)[i]), uint32_t(run.attribute(2)),
                  run.floatAttribute(0), run.floatAttribute(1), run.out() + size_t(i) * run.outputValue().elements);
  }
}

bool prepareDropout(NodeSetup& setup) {
  return setup.operands(3, 0, 2, 0b110) && expectSeedAndIds(setup, setup.input(1), setup.input(2)) &&
         setup.expect(setup.output().perImage && sameShape(setup.input(0), setup.output()),
                      "x [N,...] and an output of its shape") &&
         setup.expect(setup.floatAttribute(0) >= 0 && setup.floatAttribute(0) < 1, "a rate of at least 0 and under 1");
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
    {.name = "randomUniform", .prepare = prepareUniform, .run = runUniform},
    {.name = "dropout", .prepare = prepareDropout, .run = runDropout},
};

}  // namespace

KernelList randomKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
