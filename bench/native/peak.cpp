// The peak of one thread of this machine, in native code: says that it is ready, and answers every line of seconds with
// operations a second over at least that long.
#include "peak.h"

#include <chrono>
#include <cstdio>

using namespace rdi::kernels;

int main() {
  using Clock = std::chrono::steady_clock;
  constexpr int iterations = 10000;
  // So that no compiler takes two calls for the same.
  volatile float value = 0;
  double seconds = 0;
  // Lines go to a pipe: at once.
  setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
  puts("ready");
  while (scanf("%lf", &seconds) == 1) {
    const auto start = Clock::now();
    double operations = 0, spent = 0;
    do {
      value = peak(iterations, value);
      operations += double(peakOperations) * iterations;
      spent = std::chrono::duration<double>(Clock::now() - start).count();
    } while (spent < seconds);
    printf("%.0f\n", operations / spent);
  }
  return 0;
}
