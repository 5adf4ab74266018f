#include "kernels/layout.h"

#include "check.h"

using test::Buffer;

int main() {
  if (!test::runsHere()) return test::skipped;
  for (int32_t channels : {1, 2, 3, 4, 5, 10, 16, 64}) {
    for (int32_t width : {1, 3, 4, 7}) {
      const int32_t height = 5;
      const size_t pixels = size_t(height) * width, n = pixels * channels;
      Buffer x(n, "x"), y(n, "y"), back(n, "back");
      x.random(1);
      rdi::kernels::nchwToNhwc(x.data(), y.data(), channels, height, width);
      for (size_t i = 0; i < n; i++) {
        test::check(y[i % pixels * channels + i / pixels] == x[i], "nchwToNhwc");
      }
      rdi::kernels::nhwcToNchw(y.data(), back.data(), channels, height, width);
      test::check(memcmp(back.data(), x.data(), n * 4) == 0, "nhwcToNchw is its inverse");
    }
  }
  return test::finish("layout");
}
