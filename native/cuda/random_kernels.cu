// Adapters of the random kernels.
#include "kernel.h"
#include "random.cuh"

namespace rdi::cuda {
namespace {

RandomArguments arguments(const NodeRun& run, int32_t seed) {
  const Value& y = run.outputValue();
  const bool image = y.rank == 3;
  return {.images = run.images,
          .channels = image ? y.dims[0] : int32_t(y.elements),
          .pixels = image ? int64_t(y.dims[1]) * y.dims[2] : 1,
          .seed = run.inI32(seed),
          .ids = run.inI32(seed + 1),
          .stream = 0,
          .low = 0,
          .high = 0,
          .rate = 0,
          .x = nullptr,
          .y = run.out()};
}

void start(const NodeRun& run, const RandomArguments& a) {
  run.launch(randomKernel, int64_t(run.images.most) * int64_t(run.outputValue().elements + 3) / 4, a);
}

void runUniform(const NodeRun& run) {
  RandomArguments a = arguments(run, 0);
  a.low = run.floatAttribute(0);
  a.high = run.floatAttribute(1);
  a.stream = uint32_t(run.attribute(2));
  start(run, a);
}

void runDropout(const NodeRun& run) {
  RandomArguments a = arguments(run, 1);
  a.rate = run.floatAttribute(0);
  a.stream = uint32_t(run.attribute(1));
  a.x = run.in(0);
  start(run, a);
}

constexpr Kernel list[] = {
    {.name = "randomUniform", .run = runUniform},
    {.name = "dropout", .run = runDropout},
};

}  // namespace

KernelList randomKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::cuda
