#include "kernels/losses.h"

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

}  // namespace

int main() {
  for (int32_t classes : {1, 2, 3, 10, 12, 100}) {
    for (float range : {0.1f, 5.0f, 1000.0f}) testLosses(5, classes, range);
  }
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
