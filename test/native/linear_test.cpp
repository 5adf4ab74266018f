#include "kernels/linear.h"

#include "check.h"
#include "shares.h"

using namespace rdi::kernels;
using test::Buffer;

namespace {

void testShape(int32_t images, int32_t in, int32_t out) {
  const LinearShape s{in, out};
  char name[80];
  snprintf(name, sizeof name, "linear %d x %d -> %d ", images, in, out);
  const size_t inFloats = size_t(images) * in, outFloats = size_t(images) * out, weights = size_t(in) * out;
  Buffer x(inFloats, "x"), dy(outFloats, "dy"), weight(weights, "weight"), bias(out, "bias"), mask(inFloats, "mask");
  x.random(1);
  dy.random(2);
  weight.random(3);
  bias.random(4);
  mask.random(5);
  std::vector<double> forward(outFloats), inputGrad(inFloats), weightGrad(weights);
  for (int32_t n = 0; n < images; n++) {
    for (int32_t o = 0; o < out; o++) {
      const size_t y = size_t(n) * out + o;
      for (int32_t k = 0; k < in; k++) {
        const size_t w = size_t(o) * in + k, i = size_t(n) * in + k;
        forward[y] += double(x[i]) * weight[w];
        inputGrad[i] += double(dy[y]) * weight[w];
        weightGrad[w] += double(dy[y]) * x[i];
      }
      forward[y] = fmax(forward[y] + bias[o], 0);
    }
  }
  for (size_t i = 0; i < inFloats; i++) inputGrad[i] = mask[i] > 0 ? inputGrad[i] : 0;

  Buffer packed(linearPackedFloats(s), "packed"), y(outFloats, "y");
  linearPack(s, weight.data(), packed.data());
  linearForward(s, images, x.data(), packed.data(), Epilogue{.bias = bias.data(), .relu = true}, y.data());
  test::checkClose(y.data(), forward, 2e-6, std::string(name) + "forward");
  test::testShares(y, std::string(name) + "forward", [&](float* shared, Share share) {
    linearForward(s, images, x.data(), packed.data(), Epilogue{.bias = bias.data(), .relu = true}, shared, share);
  });

  Buffer gradPacked(linearInputGradPackedFloats(s), "packed"), dx(inFloats, "dx");
  linearInputGradPack(s, weight.data(), gradPacked.data());
  linearInputGrad(s, images, dy.data(), gradPacked.data(), Epilogue{.reluMask = mask.data()}, dx.data());
  test::checkClose(dx.data(), inputGrad, 2e-6, std::string(name) + "input gradient");
  test::testShares(dx, std::string(name) + "input gradient", [&](float* shared, Share share) {
    linearInputGrad(s, images, dy.data(), gradPacked.data(), Epilogue{.reluMask = mask.data()}, shared, share);
  });

  Buffer accumulator(weights, "accumulator");
  accumulator.fill(0);
  linearWeightGradAccumulate(s, images, x.data(), dy.data(), accumulator.data());
  test::checkClose(accumulator.data(), weightGrad, 1e-6, std::string(name) + "weight gradient");
  linearWeightGradAccumulate(s, images, x.data(), dy.data(), accumulator.data());
  for (double& value : weightGrad) value *= 2;
  test::checkClose(accumulator.data(), weightGrad, 1e-6, std::string(name) + "weight gradient, twice");
}

}  // namespace

int main() {
  if (!test::runsHere()) return test::skipped;
  for (int32_t images : {1, 2, 3, 7, 8, 16}) {
    testShape(images, 576, 200);
    testShape(images, 200, 10);
    testShape(images, 37, 13);
  }
  testShape(8, 1024, 200);
  testShape(5, 1600, 200);
  testShape(2, 200, 200);
  testShape(3, 1, 1);
  testShape(1, 3, 2);
  return test::finish("linear");
}
