// This machine's peak of fused multiply-adds with its widest vectors, of one thread: prints operations a second.
#include <chrono>
#include <cstdio>

#if defined(__x86_64__)
#define WIDEST __attribute__((target_clones("arch=x86-64-v4", "arch=haswell", "default")))
#else
#define WIDEST
#endif

namespace {

using Clock = std::chrono::steady_clock;

constexpr int chains = 12, lanes = 16;
typedef float vf __attribute__((vector_size(lanes * sizeof(float))));

}  // namespace

// Twelve independent chains: enough to fill the pipelines, few enough for the registers.
WIDEST float peak(int iterations) {
  vf x[chains];
  for (int i = 0; i < chains; i++) x[i] = vf{} + float(i);
  const vf factor = vf{} + 0.9375f, term = vf{} + 0.0625f;
  for (; iterations > 0; iterations--) {
#pragma GCC unroll 16
    for (int i = 0; i < chains; i++) x[i] = x[i] * factor + term;
  }
  float sum = 0;
  for (int i = 0; i < chains; i++) sum += x[i][0];
  return sum;
}

int main() {
  constexpr int iterations = 200000;
  double best = 0;
  volatile float result = 0;
  for (int run = 0; run < 10; run++) {
    const auto start = Clock::now();
    result = result + peak(iterations);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const double rate = 2.0 * chains * lanes * iterations / seconds;
    best = rate > best ? rate : best;
  }
  printf("%.0f\n", best);
  return 0;
}
