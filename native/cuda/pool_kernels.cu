// Adapters of the pooling kernels.
#include "kernel.h"
#include "pool.cuh"

namespace rdi::cuda {
namespace {

using kernels::PoolShape;

// Inputs: where x and dy are; −1 for none.
template <void (*kernel)(PoolArguments), int x, int dy>
void runPool(const NodeRun& run) {
  run.launch(kernel, run.extent(run.outputValue()),
             PoolArguments{run.images, run.state<PoolShape>(), x < 0 ? nullptr : run.in(x),
                           dy < 0 ? nullptr : run.in(dy), run.out()});
}

constexpr Kernel list[] = {
    {.name = "maxPool2d", .run = runPool<maxPoolKernel, 0, -1>},
    {.name = "maxPool2dGrad", .run = runPool<maxPoolGradKernel, 1, 0>},
    {.name = "avgPool2d", .run = runPool<avgPoolKernel, 0, -1>},
    {.name = "avgPool2dGrad", .run = runPool<avgPoolGradKernel, -1, 0>},
};

}  // namespace

KernelList poolKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::cuda
