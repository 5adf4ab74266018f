#include "kernels/losses.h"

#include <algorithm>

#include "check.h"

using namespace rdi::kernels;
using test::Buffer;

namespace {

void testLosses(int32_t images, int32_t classes, float range) {
  char name[80];
  snprintf(name, sizeof name, "losses %d x %d, logits up to %g: ", images, classes, range);
  const size_t n = size_t(images) * classes;
  Buffer logits(n, "logits"), p(n, "p"), loss(images, "loss"), ct(images, "ct"), entropy(images, "entropy"),
      gradient(n, "gradient");
  logits.random(1, -range, range);
  ct.random(2);
  std::vector<int32_t> labels(images), index(images), expectedIndex(images);
  std::vector<double> expectedP(n), expectedLoss(images), expectedEntropy(images), expectedGradient(n);
  for (int32_t i = 0; i < images; i++) {
    labels[i] = i * 7 % classes;
    const float* row = logits.data() + size_t(i) * classes;
    double max = row[0], sum = 0;
    for (int32_t c = 0; c < classes; c++) {
      if (row[c] > row[expectedIndex[i]]) expectedIndex[i] = c;
      max = fmax(max, row[c]);
    }
    for (int32_t c = 0; c < classes; c++) sum += exp(row[c] - max);
    for (int32_t c = 0; c < classes; c++) {
      const double probability = exp(row[c] - max) / sum;
      expectedP[i * classes + c] = probability;
      expectedEntropy[i] -= probability * log(probability + 1e-5);
      expectedGradient[i * classes + c] = ct[i] * (probability - (c == labels[i]));
    }
    expectedLoss[i] = log(sum) + max - row[labels[i]];
  }
  softmax(logits.data(), p.data(), images, classes);
  test::checkClose(p.data(), expectedP, 1e-6, std::string(name) + "softmax");
  crossEntropy(logits.data(), labels.data(), loss.data(), images, classes);
  test::checkClose(loss.data(), expectedLoss, 1e-6, std::string(name) + "crossEntropy");
  softmaxEntropy(logits.data(), entropy.data(), images, classes);
  for (int32_t i = 0; i < images; i++) {
    test::check(fabs(entropy[i] - expectedEntropy[i]) <= 1e-6 * fmax(1, expectedEntropy[i]),
                std::string(name) + "entropy");
  }
  argmax(logits.data(), index.data(), images, classes);
  test::check(index == expectedIndex, std::string(name) + "argmax");
  crossEntropyGrad(ct.data(), logits.data(), labels.data(), gradient.data(), images, classes);
  test::checkClose(gradient.data(), expectedGradient, 1e-6, std::string(name) + "crossEntropyGrad");
  crossEntropyGrad(ct.data(), logits.data(), labels.data(), logits.data(), images, classes);
  test::check(memcmp(logits.data(), gradient.data(), n * 4) == 0, std::string(name) + "crossEntropyGrad in place");
}

void testUniformCrossEntropy(int32_t images, int32_t classes, float range) {
  Buffer logits(size_t(images) * classes, "logits"), loss(images, "loss");
  logits.random(3, -range, range);
  std::vector<double> expected(images);
  for (int32_t i = 0; i < images; i++) {
    const float* row = logits.data() + size_t(i) * classes;
    double max = row[0], sum = 0, mean = 0;
    for (int32_t c = 0; c < classes; c++) max = fmax(max, row[c]);
    for (int32_t c = 0; c < classes; c++) {
      sum += exp(row[c] - max);
      mean += double(row[c]) / classes;
    }
    expected[i] = log(sum) + max - mean;
  }
  uniformCrossEntropy(logits.data(), loss.data(), images, classes);
  test::checkClose(loss.data(), expected, 1e-6, "uniformCrossEntropy");
}

// By sorting, in double precision.
void testMargin(int32_t images, int32_t classes, bool scaled) {
  const std::string name = "margin of " + std::to_string(classes) + (scaled ? " classes, scaled" : " classes");
  const size_t n = size_t(images) * classes;
  Buffer logits(n, "logits"), loss(images, "loss"), ct(images, "ct"), gradient(n, "gradient");
  logits.random(4, -3, 3);
  ct.random(5);
  std::vector<int32_t> labels(images);
  std::vector<double> expected(images), expectedGradient(n);
  for (int32_t i = 0; i < images; i++) {
    const float* row = logits.data() + size_t(i) * classes;
    std::vector<int32_t> order(classes);
    for (int32_t c = 0; c < classes; c++) order[c] = c;
    std::sort(order.begin(), order.end(), [row](int32_t a, int32_t b) { return row[a] > row[b]; });
    labels[i] = order[i % classes];
    const int32_t other = order[labels[i] == order[0]];
    const double spread = scaled ? double(row[order[0]]) - row[order[2]] + 1e-12 : 1;
    expected[i] = (double(row[other]) - row[labels[i]]) / spread;
    double* own = expectedGradient.data() + size_t(i) * classes;
    own[other] += ct[i] / spread;
    own[labels[i]] -= ct[i] / spread;
    if (!scaled) continue;
    own[order[0]] -= ct[i] * expected[i] / spread;
    own[order[2]] += ct[i] * expected[i] / spread;
  }
  margin(logits.data(), labels.data(), loss.data(), images, classes, scaled);
  test::checkClose(loss.data(), expected, 1e-6, name);
  marginGrad(ct.data(), logits.data(), labels.data(), gradient.data(), images, classes, scaled);
  test::checkClose(gradient.data(), expectedGradient, 1e-6, name + ", gradient");
}

void testEqualLogits() {
  const float logits[] = {2, 2, 2, 2};
  const int32_t label[] = {1};
  const float ct[] = {1};
  float loss[1], gradient[4];
  margin(logits, label, loss, 1, 4, true);
  marginGrad(ct, logits, label, gradient, 1, 4, true);
  test::check(loss[0] == 0, "the DLR loss of equal logits is 0");
  for (float g : gradient) test::check(isfinite(g), "the gradient of the DLR loss of equal logits is finite");
}

}  // namespace

int main() {
  if (!test::runsHere()) return test::skipped;
  for (int32_t classes : {1, 2, 3, 10, 12, 100}) {
    for (float range : {0.1f, 5.0f, 1000.0f}) testLosses(5, classes, range);
  }
  for (int32_t classes : {1, 2, 10, 100}) {
    for (float range : {0.1f, 1000.0f}) testUniformCrossEntropy(5, classes, range);
  }
  for (int32_t classes : {2, 3, 10, 100}) testMargin(13, classes, false);
  for (int32_t classes : {3, 4, 10, 100}) testMargin(13, classes, true);
  testEqualLogits();
  const float logits[] = {1, 3, 3, 2, NAN, 1};
  int32_t index[2];
  argmax(logits, index, 1, 4);
  test::check(index[0] == 1, "argmax takes the first maximum");
  float loss[1], entropy[1];
  const int32_t label[] = {1};
  crossEntropy(logits + 3, label, loss, 1, 3);
  softmaxEntropy(logits + 3, entropy, 1, 3);
  test::check(isnan(loss[0]) && isnan(entropy[0]), "NaN logits give a NaN loss and entropy");
  return test::finish("losses");
}
