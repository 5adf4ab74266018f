#include "kernels/elementwise.h"

#include "check.h"

using namespace rdi::kernels;
using test::Buffer;
using test::check;

namespace {

const float specials[] = {0.0f, -0.0f, 1.0f, -1.0f, 2.5f, -3.25f, INFINITY, -INFINITY, NAN, 1e-40f, 3e38f};

bool same(float actual, float expected) { return actual == expected || (isnan(actual) && isnan(expected)); }

void testUnary(UnaryOp op, const char* name, double (*expected)(double)) {
  for (size_t n : {size_t(1), size_t(3), size_t(4), size_t(11), size_t(64)}) {
    Buffer x(n, "x"), y(n, "y");
    for (size_t i = 0; i < n; i++) x[i] = specials[i % 11];
    unary(op, x.data(), y.data(), n);
    for (size_t i = 0; i < n; i++)
      check(same(y[i], float(expected(x[i]))), std::string(name) + " of " + std::to_string(x[i]));
    unary(op, x.data(), x.data(), n);
    check(memcmp(x.data(), y.data(), n * 4) == 0, std::string(name) + " in place");
  }
}

double ulps(float actual, double expected) {
  const float rounded = float(expected);
  if (!isfinite(rounded) || !isfinite(actual)) return same(actual, rounded) ? 0 : INFINITY;
  int exponent;
  frexp(expected, &exponent);
  const double ulp = ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
  return fabs(actual - expected) / ulp;
}

// The worst error over floats between two bit patterns.
void testAccuracy(UnaryOp op, const char* name, double (*expected)(double), uint32_t from, uint32_t to) {
  const size_t n = 1 << 16;
  Buffer x(n, "x"), y(n, "y");
  for (size_t i = 0; i < n; i++) {
    const uint32_t bits = from + uint32_t(uint64_t(to - from) * i / (n - 1));
    memcpy(&x[i], &bits, 4);
  }
  unary(op, x.data(), y.data(), n);
  double worst = 0, at = 0;
  for (size_t i = 0; i < n; i++) {
    const double error = ulps(y[i], expected(x[i]));
    if (error > worst) worst = error, at = x[i];
  }
  char text[120];
  snprintf(text, sizeof text, "%s within 2 ulp: %.2f at %.9g", name, worst, at);
  check(worst <= 2, text);
}

void testBinary(BinaryOp op, const char* name, float (*expected)(float, float)) {
  const size_t n = 11 * 11 + 2;
  Buffer a(n, "a"), b(n, "b"), y(n, "y");
  for (size_t i = 0; i < n; i++) {
    a[i] = specials[i % 11];
    b[i] = specials[i / 11 % 11];
  }
  binary(op, a.data(), b.data(), y.data(), n);
  for (size_t i = 0; i < n; i++) {
    check(same(y[i], expected(a[i], b[i])),
          std::string(name) + " of " + std::to_string(a[i]) + ", " + std::to_string(b[i]));
  }
  Buffer right(n, "right"), left(n, "left");
  for (float scalar : specials) {
    binaryScalarRight(op, a.data(), scalar, right.data(), n);
    binaryScalarLeft(op, scalar, a.data(), left.data(), n);
    for (size_t i = 0; i < n; i++) {
      check(same(right[i], expected(a[i], scalar)) && same(left[i], expected(scalar, a[i])),
            std::string(name) + " with a scalar");
    }
  }
  const float perImage[] = {2, -3, 0.5f};
  binaryImageRight(op, a.data(), perImage, right.data(), 3, n / 3);
  binaryImageLeft(op, perImage, a.data(), left.data(), 3, n / 3);
  for (size_t i = 0; i < n / 3 * 3; i++) {
    const float value = perImage[i / (n / 3)];
    check(same(right[i], expected(a[i], value)) && same(left[i], expected(value, a[i])),
          std::string(name) + " per image");
  }
  binary(op, a.data(), b.data(), b.data(), n);
  check(memcmp(b.data(), y.data(), n * 4) == 0, std::string(name) + " in place");
}

void testBits() {
  constexpr size_t n = 96;
  Buffer x(n, "x"), dy(n, "dy"), dx(n, "dx");
  x.random(1);
  dy.random(2);
  x[0] = 0;
  x[1] = -0.0f;
  x[2] = NAN;
  x[3] = INFINITY;
  uint32_t bits[n / 32];
  positiveBits(x.data(), bits, n);
  keepWhereSet(dy.data(), bits, dx.data(), n);
  for (size_t i = 0; i < n; i++) {
    test::check((bits[i / 32] >> i % 32 & 1) == (x[i] > 0), "positiveBits");
    test::check(dx[i] == (x[i] > 0 ? dy[i] : 0), "keepWhereSet");
  }
}

void testRows() {
  const size_t n = 37;
  Buffer a(3 * n, "a"), b(3 * n, "b"), y(3 * n, "y");
  a.random(1);
  b.random(2);
  const float condition[] = {1, 0, -2};
  selectRows(condition, a.data(), b.data(), y.data(), 3, n);
  for (size_t i = 0; i < 3 * n; i++) check(y[i] == (i / n == 1 ? b : a)[i], "selectRows");
  selectRows(condition, a.data(), b.data(), b.data(), 3, n);
  check(memcmp(b.data(), y.data(), 3 * n * 4) == 0, "selectRows in place");

  const float values[] = {1, 2, 3};
  expandRows(values, y.data(), 3, n);
  for (size_t i = 0; i < 3 * n; i++) check(y[i] == values[i / n], "expandRows");

  Buffer scaled(3 * n, "scaled");
  scaleRows(a.data(), values, scaled.data(), 3, n);
  for (size_t i = 0; i < 3 * n; i++) check(scaled[i] == a[i] * values[i / n], "scaleRows");

  for (size_t length : {size_t(1), size_t(7), size_t(16), size_t(37)}) {
    Buffer sums(3, "sums");
    sumRows(a.data(), sums.data(), 3, length);
    std::vector<double> expected(3);
    for (size_t i = 0; i < 3 * length; i++) expected[i / length] += a[i];
    test::checkClose(sums.data(), expected, 1e-6, "sumRows");
  }

  const float* inputs[] = {a.data(), b.data(), scaled.data()};
  sumBuffers(inputs, 3, y.data(), 3 * n);
  for (size_t i = 0; i < 3 * n; i++) check(y[i] == (a[i] + b[i]) + scaled[i], "sumBuffers");

  affine(a.data(), 2, -0.5f, y.data(), 3 * n);
  for (size_t i = 0; i < 3 * n; i++) check(y[i] == 2 * a[i] - 0.5f, "affine");

  a[5] = NAN;
  clamp(a.data(), -0.25f, 0.5f, y.data(), 3 * n);
  for (size_t i = 0; i < 3 * n; i++) check(same(y[i], isnan(a[i]) ? NAN : fminf(fmaxf(a[i], -0.25f), 0.5f)), "clamp");
}

void testChannels() {
  for (int32_t channels : {1, 3, 4, 8, 10, 13, 32}) {
    for (size_t rows : {size_t(1), size_t(2), size_t(7), size_t(100)}) {
      Buffer x(rows * channels, "x"), scale(channels, "scale"), shift(channels, "shift"), y(rows * channels, "y"),
          sum(channels, "sum");
      x.random(1);
      scale.random(2);
      shift.random(3);
      channelAffine(x.data(), scale.data(), shift.data(), y.data(), rows, channels);
      std::vector<double> expected(channels, 1.0);
      for (size_t i = 0; i < rows * channels; i++) {
        const float product = x[i] * scale[i % channels] + shift[i % channels];
        const float fused = fmaf(x[i], scale[i % channels], shift[i % channels]);
        check(y[i] == product || y[i] == fused, "channelAffine");
        expected[i % channels] += x[i];
      }
      sum.fill(1);
      channelSumAccumulate(x.data(), sum.data(), rows, channels);
      test::checkClose(sum.data(), expected, 1e-6, "channelSumAccumulate");
    }
  }
}

}  // namespace

int main() {
  if (!test::runsHere()) return test::skipped;
  testUnary(UnaryOp::Relu, "relu", [](double x) { return isnan(x) ? x : fmax(x, 0); });
  testUnary(UnaryOp::Neg, "neg", [](double x) { return -x; });
  testUnary(UnaryOp::Sqrt, "sqrt", [](double x) { return sqrt(x); });
  testUnary(UnaryOp::Abs, "abs", [](double x) { return fabs(x); });
  testUnary(UnaryOp::Sign, "sign", [](double x) { return isnan(x) ? x : double(x > 0) - double(x < 0); });
  testUnary(UnaryOp::Rsqrt, "rsqrt", [](double x) { return double(1 / float(sqrtf(float(x)))); });
  const uint32_t one = 0x3f800000, infinity = 0x7f800000, negative = 0x80000000;
  testAccuracy(UnaryOp::Exp, "exp", exp, 0, infinity);
  testAccuracy(UnaryOp::Exp, "exp", exp, negative, negative + infinity);
  testAccuracy(UnaryOp::Exp, "exp", exp, 0x3d000000, 0x42b40000);
  testAccuracy(UnaryOp::Exp, "exp", exp, 0xbd000000, 0xc2d20000);
  testAccuracy(UnaryOp::Log, "log", log, 0, infinity);
  testAccuracy(UnaryOp::Log, "log", log, one - 0x00800000, one + 0x00800000);
  testAccuracy(UnaryOp::Log, "log", log, one - 0x1000, one + 0x1000);
  testAccuracy(UnaryOp::Log, "log", log, negative + 1, negative + infinity);
  testAccuracy(UnaryOp::Exp, "exp of NaN", exp, infinity + 1, infinity + 1);
  testAccuracy(UnaryOp::Log, "log of NaN", log, infinity + 1, infinity + 1);

  testBinary(BinaryOp::Add, "add", [](float a, float b) { return a + b; });
  testBinary(BinaryOp::Sub, "sub", [](float a, float b) { return a - b; });
  testBinary(BinaryOp::Mul, "mul", [](float a, float b) { return a * b; });
  testBinary(BinaryOp::Div, "div", [](float a, float b) { return a / b; });
  testBinary(BinaryOp::Minimum, "minimum", [](float a, float b) { return isnan(a) || isnan(b) ? NAN : fminf(a, b); });
  testBinary(BinaryOp::Maximum, "maximum", [](float a, float b) { return isnan(a) || isnan(b) ? NAN : fmaxf(a, b); });
  testBinary(BinaryOp::Greater, "greater", [](float a, float b) { return a > b ? 1.0f : 0.0f; });
  testBinary(BinaryOp::ReluGrad, "reluGrad", [](float a, float b) { return b > 0 ? a : 0.0f; });
  testBits();
  testRows();
  testChannels();
  return test::finish("elementwise");
}
