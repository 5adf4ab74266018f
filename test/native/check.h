// What the native tests share: failure counting, seeded values, and buffers with guard words around them.
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <string>
#include <vector>

namespace test {

inline int& failures() {
  static int count = 0;
  return count;
}

inline void check(bool passed, const std::string& what) {
  if (passed) return;
  failures()++;
  fprintf(stderr, "FAILED: %s\n", what.c_str());
}

// Whether this machine has the instruction set that the test was compiled for; if not, main returns `skipped`.
inline constexpr int skipped = 77;
inline bool runsHere() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return true;
#endif
}

inline int finish(const char* name) {
  if (failures() == 0) printf("%s: all checks passed\n", name);
  return failures() == 0 ? 0 : 1;
}

// xorshift64*: the same values on every machine.
class Values {
 public:
  explicit Values(uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15u + 1) {}
  uint64_t word() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1du;
  }
  float uniform(float low, float high) { return low + (high - low) * float(word() >> 40) * 0x1p-24f; }

 private:
  uint64_t state_;
};

// Floats at an address that is not aligned to a vector, with guard words on both sides and NaN inside until they are
// written. The guards are checked when the buffer ends; the rear one is short, so that an address sanitizer sees reads
// beyond it as well.
class Buffer {
 public:
  explicit Buffer(size_t n, const char* name = "buffer") : memory_(n + 2 * guard, guardValue()), n_(n), name_(name) {
    for (size_t i = 0; i < n; i++) data()[i] = NAN;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    const float expected = guardValue();
    bool intact = true;
    for (size_t i = 0; i < guard; i++) {
      intact = intact && memcmp(&memory_[i], &expected, 4) == 0 && memcmp(&memory_[guard + n_ + i], &expected, 4) == 0;
    }
    check(intact, std::string("guard words of ") + name_ + " are intact");
  }
  float* data() { return memory_.data() + guard; }
  const float* data() const { return memory_.data() + guard; }
  size_t size() const { return n_; }
  float& operator[](size_t i) { return data()[i]; }
  float operator[](size_t i) const { return data()[i]; }
  Buffer& random(uint64_t seed, float low = -1, float high = 1) {
    Values values(seed);
    for (size_t i = 0; i < n_; i++) data()[i] = values.uniform(low, high);
    return *this;
  }
  Buffer& fill(float value) {
    for (size_t i = 0; i < n_; i++) data()[i] = value;
    return *this;
  }

 private:
  static constexpr size_t guard = 3;
  static float guardValue() { return -12345.75f; }
  std::vector<float> memory_;
  size_t n_;
  const char* name_;
};

// max |actual − expected| / max |expected|; infinite if anything is not finite.
inline double relativeError(const float* actual, const std::vector<double>& expected) {
  double largest = 0, error = 0;
  for (size_t i = 0; i < expected.size(); i++) {
    if (!isfinite(actual[i])) return INFINITY;
    largest = fmax(largest, fabs(expected[i]));
    error = fmax(error, fabs(actual[i] - expected[i]));
  }
  return largest > 0 ? error / largest : error;
}

inline void checkClose(const float* actual, const std::vector<double>& expected, double tolerance,
                       const std::string& what) {
  const double error = relativeError(actual, expected);
  char text[64];
  snprintf(text, sizeof text, ": error %.3g, expected at most %.3g", error, tolerance);
  check(error <= tolerance, what + text);
}

}  // namespace test
