#include "kernels/pool.h"

#include "check.h"

using namespace rdi::kernels;
using test::Buffer;

namespace {

void testShape(int32_t images, int32_t channels, int32_t height, int32_t width, int32_t kernel, int32_t stride,
               int32_t padding) {
  const PoolShape s{channels,
                    height,
                    width,
                    (height + 2 * padding - kernel) / stride + 1,
                    (width + 2 * padding - kernel) / stride + 1,
                    kernel,
                    stride,
                    padding};
  char name[120];
  snprintf(name, sizeof name, "pool %dx%dx%dx%d kernel %d stride %d padding %d ", images, channels, height, width,
           kernel, stride, padding);
  const size_t inFloats = size_t(images) * height * width * channels;
  const size_t outFloats = size_t(images) * s.outHeight * s.outWidth * channels;
  Buffer x(inFloats, "x"), dy(outFloats, "dy"), y(outFloats, "y"), dx(inFloats, "dx");
  // Few distinct values, so that maxima are often equal.
  test::Values values(1);
  for (size_t i = 0; i < inFloats; i++) x[i] = float(values.word() % 5) - 3;
  dy.random(2);
  std::vector<double> max(outFloats), maxGrad(inFloats), average(outFloats), averageGrad(inFloats);
  for (int32_t n = 0; n < images; n++) {
    for (int32_t oy = 0; oy < s.outHeight; oy++) {
      for (int32_t ox = 0; ox < s.outWidth; ox++) {
        for (int32_t c = 0; c < channels; c++) {
          const size_t out = ((size_t(n) * s.outHeight + oy) * s.outWidth + ox) * channels + c;
          double best = -INFINITY, sum = 0;
          size_t winner = 0;
          for (int32_t ky = 0; ky < kernel; ky++) {
            for (int32_t kx = 0; kx < kernel; kx++) {
              const int32_t iy = oy * stride - padding + ky, ix = ox * stride - padding + kx;
              if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
              const size_t in = ((size_t(n) * height + iy) * width + ix) * channels + c;
              if (x[in] > best) {
                best = x[in];
                winner = in;
              }
              sum += x[in];
              averageGrad[in] += double(dy[out]) / (kernel * kernel);
            }
          }
          max[out] = best;
          average[out] = sum / (kernel * kernel);
          maxGrad[winner] += dy[out];
        }
      }
    }
  }
  maxPool2d(s, images, x.data(), y.data());
  test::checkClose(y.data(), max, 0, std::string(name) + "max");
  maxPool2dGrad(s, images, dy.data(), x.data(), dx.data());
  test::checkClose(dx.data(), maxGrad, 1e-6, std::string(name) + "max gradient");
  avgPool2d(s, images, x.data(), y.data());
  test::checkClose(y.data(), average, 1e-6, std::string(name) + "average");
  avgPool2dGrad(s, images, dy.data(), dx.data());
  test::checkClose(dx.data(), averageGrad, 1e-6, std::string(name) + "average gradient");
}

}  // namespace

int main() {
  if (!test::runsHere()) return test::skipped;
  testShape(2, 32, 24, 24, 2, 2, 0);
  testShape(2, 64, 10, 10, 2, 2, 0);
  testShape(2, 64, 8, 8, 8, 8, 0);
  testShape(1, 16, 13, 11, 2, 2, 0);  // an odd row and column that no window covers
  testShape(2, 5, 9, 7, 3, 2, 1);
  testShape(2, 1, 6, 6, 3, 1, 1);
  testShape(1, 10, 7, 5, 3, 1, 0);
  testShape(1, 3, 6, 8, 2, 3, 1);

  // NaN is the maximum of its window.
  const PoolShape s{1, 2, 2, 1, 1, 2, 2, 0};
  for (int at = 0; at < 4; at++) {
    float x[4] = {1, 2, 3, 4}, y[1];
    x[at] = NAN;
    maxPool2d(s, 1, x, y);
    test::check(isnan(y[0]), "maxPool2d keeps NaN");
  }
  return test::finish("pool");
}
