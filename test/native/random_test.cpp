#include "kernels/random.h"

#include "check.h"

using namespace rdi::kernels;
using test::Buffer;
using test::check;

namespace {

// Known answers of the Random123 library's kat_vectors for philox4x32-10.
void testKnownAnswers() {
  struct {
    uint32_t counter[4];
    Seed seed;
    uint32_t expected[4];
  } const cases[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       {0xffffffff, 0xffffffff},
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const auto& c : cases) {
    uint32_t out[4];
    philox4x32(c.counter, c.seed, out);
    check(memcmp(out, c.expected, sizeof out) == 0, "philox4x32 known answer");
  }
}

float unit(size_t element, Seed seed, uint32_t id, uint32_t stream) {
  const uint32_t counter[4] = {uint32_t(element / 4), id, stream, 0};
  uint32_t words[4];
  philox4x32(counter, seed, words);
  return float(words[element % 4] >> 8) / 16777216.0f;
}

void testShape(const ImageShape& s) {
  const Seed seed{0x12345678, 0x9abcdef0};
  const size_t pixels = size_t(s.height) * s.width, n = pixels * s.channels;
  Buffer y(n, "y"), x(n, "x");
  x.random(1);
  randomUniform(s, seed, 7, 3, -0.3f, 0.3f, y.data());
  const float span = 0.3f - -0.3f;
  for (size_t e = 0; e < n; e++) {
    const size_t at = e % pixels * s.channels + e / pixels;
    check(y[at] == -0.3f + span * unit(e, seed, 7, 3), "randomUniform");
  }
  dropout(s, seed, 9, 2, 0.5f, x.data(), y.data());
  for (size_t e = 0; e < n; e++) {
    const size_t at = e % pixels * s.channels + e / pixels;
    check(y[at] == (unit(e, seed, 9, 2) >= 0.5f ? 2 * x[at] : 0.0f), "dropout");
  }
  dropout(s, seed, 9, 2, 0.5f, x.data(), x.data());
  check(memcmp(x.data(), y.data(), n * 4) == 0, "dropout in place");
}

}  // namespace

int main() {
  if (!test::runsHere()) return test::skipped;
  testKnownAnswers();
  testShape({1, 28, 28});
  testShape({3, 5, 7});
  testShape({200, 1, 1});
  testShape({10, 3, 1});
  return test::finish("random");
}
