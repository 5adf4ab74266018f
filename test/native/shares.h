// Results that several workers compute together.
#pragma once

#include "check.h"
#include "kernels/share.h"

namespace test {

// Checks that the shares of 2, 3 and 8 workers make the same result as one worker, bit for bit: run(result, share).
template <class Run>
void testShares(const Buffer& whole, const std::string& what, Run run) {
  for (const int32_t parts : {2, 3, 8}) {
    Buffer shared(whole.size(), "shared result");
    for (int32_t part = 0; part < parts; part++) run(shared.data(), rdi::kernels::Share{part, parts});
    check(memcmp(shared.data(), whole.data(), whole.size() * sizeof(float)) == 0,
          what + ": " + std::to_string(parts) + " workers together compute what one does");
  }
}

}  // namespace test
