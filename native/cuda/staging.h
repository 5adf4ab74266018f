// Copies between the host and the device through pinned memory: while one half is on its way, the other is filled or
// emptied.
#pragma once

#include "launch.h"

namespace rdi::cuda {

class Staging {
 public:
  Staging() = default;
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;
  ~Staging();

  bool create(Stream& stream);
  // What was put into the stream before is done first. Done when they return; false with the stream's error.
  bool write(Stream& stream, void* to, const void* from, size_t bytes);
  bool read(Stream& stream, void* to, const void* from, size_t bytes);

 private:
  static constexpr size_t halfBytes = size_t(4) << 20;

  unsigned char* half(int i) const { return memory_ + size_t(i) * halfBytes; }

  unsigned char* memory_ = nullptr;
  cudaEvent_t sent_[2] = {};  // of each half: its last copy
};

}  // namespace rdi::cuda
