// Adapters of the pooling kernels.
#include "kernels/pool.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

bool preparePool(NodeSetup& setup, const Value& x, const Value& y) {
  int32_t kernel = setup.attribute(0), stride = setup.attribute(1), padding = setup.attribute(2);
  if (!setup.expect(isImage(x) && isImage(y) && x.dims[0] == y.dims[0], "images [N,C,H,W] with the same channels") ||
      !setup.expect(
          kernel >= 1 && kernel <= 4096 && stride >= 1 && stride <= 4096 && padding >= 0 && padding <= kernel / 2,
          "a kernel and a stride of 1 to 4096, and a padding of 0 to kernel / 2") ||
      !setup.expect(x.dims[1] + 2 * padding >= kernel && x.dims[2] + 2 * padding >= kernel &&
                        y.dims[1] == (x.dims[1] + 2 * padding - kernel) / stride + 1 &&
                        y.dims[2] == (x.dims[2] + 2 * padding - kernel) / stride + 1,
                    "the output's size to be (input + 2 padding - kernel) / stride + 1")) {
    return false;
  }
  setup.keep(PoolShape{x.dims[0], x.dims[1], x.dims[2], y.dims[1], y.dims[2], kernel, stride, padding});
  return true;
}

bool prepareForward(NodeSetup& setup) {
  return setup.operands(1, 0, 3) && preparePool(setup, setup.input(0), setup.output());
}

void runMax(const NodeRun& run) { maxPool2d(run.state<PoolShape>(), run.images, run.in(0), run.out()); }
void runAvg(const NodeRun& run) { avgPool2d(run.state<PoolShape>(), run.images, run.in(0), run.out()); }

bool prepareMaxGrad(NodeSetup& setup) {
  return setup.operands(2, 0, 3) && preparePool(setup, setup.output(), setup.input(0)) &&
         setup.expect(sameShape(setup.input(1), setup.output()), "x and dx of the same shape");
}

bool prepareAvgGrad(NodeSetup& setup) {
  return setup.operands(1, 0, 3) && preparePool(setup, setup.output(), setup.input(0));
}

void runMaxGrad(const NodeRun& run) {
  maxPool2dGrad(run.state<PoolShape>(), run.images, run.in(0), run.in(1), run.out());
}
void runAvgGrad(const NodeRun& run) { avgPool2dGrad(run.state<PoolShape>(), run.images, run.in(0), run.out()); }

constexpr Kernel list[] = {
    {.name = "maxPool2d", .prepare = prepareForward, .run = runMax},
    {.name = "maxPool2dGrad", .prepare = prepareMaxGrad, .run = runMaxGrad},
    {.name = "avgPool2d", .prepare = prepareForward, .run = runAvg},
    {.name = "avgPool2dGrad", .prepare = prepareAvgGrad, .run = runAvgGrad},
};

}  // namespace

KernelList poolKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
