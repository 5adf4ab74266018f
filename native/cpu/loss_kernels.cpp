// Adapters of the kernels on logits.
#include "kernels/losses.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
namespace {

using namespace kernels;

// Labels are data, and an index that the kernels trust: a bad one is the caller's error, told after the run.
bool labelsInRange(const NodeRun& run, const int32_t* labels, int32_t classes) {
  for (int32_t i = 0; i < run.images; i++) {
    if (labels[i] >= 0 && labels[i] < classes) continue;
    if (Message* message = run.status.fail()) {
      message->clear() << "[" << run.node.op->name << "] Expected labels from 0 to " << classes - 1 << " but received "
                       << labels[i];
    }
    return false;
  }
  return true;
}

void runSoftmax(const NodeRun& run) { softmax(run.in(0), run.out(), run.images, run.value(0).dims[0]); }
void runEntropy(const NodeRun& run) { softmaxEntropy(run.in(0), run.out(), run.images, run.value(0).dims[0]); }
void runUniformCrossEntropy(const NodeRun& run) {
  uniformCrossEntropy(run.in(0), run.out(), run.images, run.value(0).dims[0]);
}
void runArgmax(const NodeRun& run) { argmax(run.in(0), run.outI32(), run.images, run.value(0).dims[0]); }

void runCrossEntropy(const NodeRun& run) {
  int32_t classes = run.value(0).dims[0];
  if (labelsInRange(run, run.inI32(1), classes)) crossEntropy(run.in(0), run.inI32(1), run.out(), run.images, classes);
}

void runCrossEntropyGrad(const NodeRun& run) {
  int32_t classes = run.value(1).dims[0];
  if (!labelsInRange(run, run.inI32(2), classes)) return;
  crossEntropyGrad(run.in(0), run.in(1), run.inI32(2), run.out(), run.images, classes);
}

void runMargin(const NodeRun& run) {
  int32_t classes = run.value(0).dims[0];
  if (!labelsInRange(run, run.inI32(1), classes)) return;
  margin(run.in(0), run.inI32(1), run.out(), run.images, classes, run.attribute(0) != 0);
}

void runMarginGrad(const NodeRun& run) {
  int32_t classes = run.value(1).dims[0];
  if (!labelsInRange(run, run.inI32(2), classes)) return;
  marginGrad(run.in(0), run.in(1), run.inI32(2), run.out(), run.images, classes, run.attribute(0) != 0);
}

constexpr Kernel list[] = {
    {.name = "softmax", .run = runSoftmax},
    {.name = "entropy", .run = runEntropy},
    {.name = "argmax", .run = runArgmax},
    {.name = "crossEntropy", .run = runCrossEntropy},
    {.name = "crossEntropyGrad", .run = runCrossEntropyGrad},
    {.name = "uniformCrossEntropy", .run = runUniformCrossEntropy},
    {.name = "margin", .run = runMargin},
    {.name = "marginGrad", .run = runMarginGrad},
};

}  // namespace

KernelList lossKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
