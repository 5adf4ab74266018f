// Adapters of the kernels on logits.
#include "kernels/losses.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {
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

bool expectClasses(NodeSetup& setup, int32_t logits) {
  return setup.expect(setup.input(logits).dims[0] >= (setup.attribute(0) ? 3 : 2),
                      "logits of 2 classes or more, of 3 if scaled");
}

bool prepareMargin(NodeSetup& setup) {
  return setup.operands(2, 0, 1, 0b10) && expectScalarOfLogits(setup) && expectClasses(setup, 0) &&
         setup.expect(isImageScalar(setup.input(1)), "labels [N]");
}

bool prepareLossGrad(NodeSetup& setup, int32_t attributes) {
  return setup.operands(3, 0, attributes, 0b100) &&
         setup.expect(isImageScalar(setup.input(0)) && isMatrixRow(setup.input(1)) && isImageScalar(setup.input(2)) &&
                          sameShape(setup.input(1), setup.output()),
                      "ct [N], logits [N,classes], labels [N], and an output of the logits' shape");
}

bool prepareCrossEntropyGrad(NodeSetup& setup) { return prepareLossGrad(setup, 0); }
bool prepareMarginGrad(NodeSetup& setup) { return prepareLossGrad(setup, 1) && expectClasses(setup, 1); }

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
    {.name = "softmax", .prepare = prepareSoftmax, .run = runSoftmax},
    {.name = "entropy", .prepare = prepareEntropy, .run = runEntropy},
    {.name = "argmax", .prepare = prepareArgmax, .run = runArgmax},
    {.name = "crossEntropy", .prepare = prepareCrossEntropy, .run = runCrossEntropy},
    {.name = "crossEntropyGrad", .prepare = prepareCrossEntropyGrad, .run = runCrossEntropyGrad},
    {.name = "uniformCrossEntropy", .prepare = prepareEntropy, .run = runUniformCrossEntropy},
    {.name = "margin", .prepare = prepareMargin, .run = runMargin},
    {.name = "marginGrad", .prepare = prepareMarginGrad, .run = runMarginGrad},
};

}  // namespace

KernelList lossKernels() { return {list, sizeof(list) / sizeof(list[0])}; }

}  // namespace rdi::inline RDI_ISA
