// Adapters of the pooling kernels.
#include "kernels/pool.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

void runMax(const NodeRun& run) { maxPool2d(run.state<PoolShape>(), run.images, run.in(0), run.out()); }
void runAvg(const NodeRun& run) { avgPool2d(run.state<PoolShape>(), run.images, run.in(0), run.out()); }

void runMaxGrad(const NodeRun& run) {
  maxPool2dGrad(run.state<PoolShape>(), run.images, run.in(0), run.in(1), run.out());
}
void runAvgGrad(const NodeRun& run) { avgPool2dGrad(run.state<PoolShape>(), run.images, run.in(0), run.out()); }

constexpr Kernel list[] = {
    {.name = "maxPool2d", .run = runMax},
    {.name = "maxPool2dGrad", .run = runMaxGrad},
    {.name = "avgPool2d", .run = runAvg},
    {.name = "avgPool2dGrad", .run = runAvgGrad},
};

}  // namespace

KernelList poolKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
