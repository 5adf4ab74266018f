#include "kernels/batch_norm.h"

#include "check.h"

using namespace rdi::kernels;
using test::Buffer;

namespace {

constexpr float eps = 1e-5f;

struct Moments {
  std::vector<double> mean, variance;
};

Moments momentsOf(const Buffer& x, size_t rows, int32_t channels) {
  Moments m{std::vector<double>(size_t(channels)), std::vector<double>(size_t(channels))};
  for (size_t i = 0; i < rows * channels; i++) m.mean[i % channels] += double(x[i]) / double(rows);
  for (size_t i = 0; i < rows * channels; i++) {
    const double deviation = x[i] - m.mean[i % channels];
    m.variance[i % channels] += deviation * deviation / double(rows);
  }
  return m;
}

// `mean` far above the spread is what a sum of squares would lose its digits to.
void testShape(size_t rows, int32_t channels, float mean) {
  const size_t n = rows * size_t(channels), c = size_t(channels);
  char name[80];
  snprintf(name, sizeof name, "batch norm %zux%d around %g ", rows, channels, double(mean));
  const std::string title = name;
  Buffer x(n, "x"), dy(n, "dy"), y(n, "y"), dx(n, "dx"), weight(c, "weight"), bias(c, "bias"), residual(n, "residual");
  Buffer moments(3 * c, "moments"), sums(2 * c, "sums"), scratch(3 * c, "scratch");
  x.random(1);
  for (size_t i = 0; i < n; i++) x[i] += mean;
  dy.random(2);
  weight.random(3);
  bias.random(4);
  residual.random(5);

  // Two workers with unequal shares, the second in two calls.
  const size_t cuts[] = {0, rows / 3, rows / 2, rows};
  const size_t momentFloats = momentsAccumulatorFloats(channels), gradFloats = normGradAccumulatorFloats(channels);
  Buffer first(momentFloats, "first"), second(momentFloats, "second");
  for (size_t i = 0; i < momentFloats; i++) first[i] = second[i] = 0;
  momentsAccumulate(x.data(), first.data(), cuts[1], channels);
  for (int part = 1; part < 3; part++)
    momentsAccumulate(x.data() + cuts[part] * c, second.data(), cuts[part + 1] - cuts[part], channels);
  const float* accumulators[] = {first.data(), second.data()};
  const int skipped = cuts[1] == 0 ? 1 : 0;  // a worker without images takes no part
  momentsFinish(accumulators + skipped, 2 - skipped, moments.data(), channels);

  const Moments expected = momentsOf(x, rows, channels);
  std::vector<double> table(3 * c), sumsExpected(2 * c), yExpected(n), dxExpected(n);
  for (size_t k = 0; k < c; k++) {
    table[k] = expected.mean[k];
    table[c + k] = expected.variance[k];
    table[2 * c + k] = expected.variance[k] * double(rows) / double(rows > 1 ? rows - 1 : 1);
  }
  for (size_t k = 0; k < c; k++) {
    test::check(fabs(moments[k] - table[k]) <= 1e-6 * (1 + fabs(mean)), title + "mean");
    test::check(fabs(moments[c + k] - table[c + k]) <= 1e-4 * table[c + k] + 1e-12, title + "variance");
    test::check(fabs(moments[2 * c + k] - table[2 * c + k]) <= 1e-4 * table[2 * c + k] + 1e-12, title + "unbiased");
  }

  // The other parts are checked from the moments as they were rounded.
  const auto inverse = [&](size_t k) { return 1 / sqrt(double(moments[c + k]) + eps); };
  for (size_t i = 0; i < n; i++) {
    const size_t k = i % c;
    const double normalised = (double(x[i]) - moments[k]) * inverse(k);
    const double v = normalised * weight[k] + bias[k] + residual[i];
    yExpected[i] = v > 0 ? v : 0;
    sumsExpected[k] += dy[i];
    sumsExpected[c + k] += dy[i] * normalised;
  }
  const double tolerance = 2e-6 * (1 + fabs(mean)) * 10;
  batchNorm(x.data(), moments.data(), weight.data(), bias.data(), eps, {residual.data(), true}, y.data(), rows,
            channels, scratch.data());
  test::checkClose(y.data(), yExpected, tolerance, title + "forward");

  Buffer gradFirst(gradFloats, "grad first"), gradSecond(gradFloats, "grad second");
  for (size_t i = 0; i < gradFloats; i++) gradFirst[i] = gradSecond[i] = 0;
  normGradAccumulate(dy.data(), x.data(), moments.data(), gradFirst.data(), cuts[1], channels);
  normGradAccumulate(dy.data() + cuts[1] * c, x.data() + cuts[1] * c, moments.data(), gradSecond.data(), rows - cuts[1],
                     channels);
  const float* gradAccumulators[] = {gradFirst.data(), gradSecond.data()};
  normGradFinish(gradAccumulators, 2, moments.data(), eps, sums.data(), channels);
  test::checkClose(sums.data(), sumsExpected, tolerance, title + "sums");

  for (size_t i = 0; i < n; i++) {
    const size_t k = i % c;
    const double normalised = (double(x[i]) - moments[k]) * inverse(k);
    dxExpected[i] = weight[k] * inverse(k) * (dy[i] - (sums[k] + normalised * sums[c + k]) / double(rows));
  }
  batchNormInputGrad(dy.data(), x.data(), moments.data(), weight.data(), sums.data(), eps, float(rows), dx.data(), rows,
                     channels, scratch.data());
  test::checkClose(dx.data(), dxExpected, tolerance, title + "input gradient");
}

}  // namespace

int main() {
  if (!test::runsHere()) return test::skipped;
  testShape(3, 1, 0);
  testShape(7, 5, 0);
  testShape(49, 8, 0);
  testShape(5000, 16, 0);
  testShape(700, 67, 1);
  testShape(1030, 12, 100);
  return test::finish("batch_norm_test");
}
