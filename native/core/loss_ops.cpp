// Adapters of the kernels on logits.
#include "kernel.h"
#include "kernels/losses.h"

namespace rdi {
namespace {

using namespace kernels;

bool prepareSoftmax(NodeSetup& setup) {
  return setup.operands(1, 0, 0) &&
         setup.expect(isMatrixRow(setup.input(0)) && sameShape(setup.input(0), setup.output()),
                      "logits [N,classes] and an output of their shape");
}

bool expectScalarOfLogits(NodeSetup& setup) {
  return setup.expect(isMatrixRow(setup.input(0)) && isImageScalar(setup.output()),
                      "logits [N,classes] and an output [N]");
}

bool prepareEntropy(NodeSetup& setup) { return setup.operands(1, 0, 0) && expectScalarOfLogits(setup); }
bool prepareArgmax(NodeSetup& setup) { return setup.operands(1, 0, 0, 0, true) && expectScalarOfLogits(setup); }

bool prepareCrossEntropy(NodeSetup& setup) {
  return setup.operands(2, 0, 0, 0b10) && expectScalarOfLogits(setup) &&
         setup.expect(isImageScalar(setup.input(1)), "labels [N]");
}

bool prepareCrossEntropyGrad(NodeSetup& setup) {
  return setup.operands(3, 0, 0, 0b100) &&
         setup.expect(isImageScalar(setup.input(0)) && isMatrixRow(setup.input(1)) && isImageScalar(setup.input(2)) &&
                          sameShape(setup.input(1), setup.output()),
                      "ct [N], logits [N,classes], labels [N], and an output of the logits' shape");
}

// Labels are data, and an index that the kernels trust: a bad one is the caller's error, told after the run.
bool labelsInRange(const NodeRun& run, const int32_t* labels, int32_t classes) {
  for (int32_t i = 0; i < run.images; i++) {
    if (labels[i] >= 0 && labels[i] < classes) continue;
    if (Message* message = run.status.fail()) {
      message->clear() << "[" << run.node.kernel->name << "] Expected labels from 0 to " << classes - 1
                       << " but received " << labels[i];
    }
    return false;
  }
  return true;
}

void runSoftmax(const NodeRun& run) { softmax(run.in(0), run.out(), run.images, run.value(0).dims[0]); }
void runEntropy(const NodeRun& run) { softmaxEntropy(run.in(0), run.out(), run.images, run.value(0).dims[0]); }
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

constexpr Kernel list[] = {
    {.name = "softmax", .prepare = prepareSoftmax, .run = runSoftmax},
    {.name = "entropy", .prepare = prepareEntropy, .run = runEntropy},
    {.name = "argmax", .prepare = prepareArgmax, .run = runArgmax},
    {.name = "crossEntropy", .prepare = prepareCrossEntropy, .run = runCrossEntropy},
    {.name = "crossEntropyGrad", .prepare = prepareCrossEntropyGrad, .run = runCrossEntropyGrad},
};

}  // namespace

KernelList lossKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi
