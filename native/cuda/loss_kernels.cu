// Adapters of the kernels on logits.
#include "kernel.h"

namespace rdi::cuda {
namespace {

// Where the operands are among the inputs; −1 for those that there are none of.
template <class F, int logits = 0, int labels = -1, int ct = -1, bool scales = false>
void runLogits(const NodeRun& run) {
  run.launch(logitsKernel<F>, run.images.most,
             LogitsArguments{.images = run.images,
                             .classes = run.value(logits).dims[0],
                             .logits = run.in(logits),
                             .labels = labels < 0 ? nullptr : run.inI32(labels),
                             .ct = ct < 0 ? nullptr : run.in(ct),
                             .scaled = scales && run.attribute(0) != 0,
                             .y = run.out(),
                             .fault = run.fault,
                             .node = int32_t(&run.node - run.plan.nodes.data())});
}

constexpr Kernel list[] = {
    {.name = "softmax", .run = runLogits<Softmax>},
    {.name = "entropy", .run = runLogits<Entropy>},
    {.name = "argmax", .run = runLogits<Argmax>},
    {.name = "crossEntropy", .run = runLogits<CrossEntropy, 0, 1>},
    {.name = "crossEntropyGrad", .run = runLogits<CrossEntropyGrad, 1, 2, 0>},
    {.name = "uniformCrossEntropy", .run = runLogits<UniformCrossEntropy>},
    {.name = "margin", .run = runLogits<Margin, 0, 1, -1, true>},
    {.name = "marginGrad", .run = runLogits<MarginGrad, 1, 2, 0, true>},
};

}  // namespace

KernelList lossKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::cuda
