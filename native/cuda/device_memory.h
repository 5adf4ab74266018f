// The device's memory: blocks from its pool, which are counted, and freed with the engine.
#pragma once

#include <unordered_map>

#include "launch.h"

namespace rdi::cuda {

class DeviceMemory {
 public:
  explicit DeviceMemory(Stream& stream) : stream_(stream) {}
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory();

  // 256-byte aligned. Null when memory is out; the message says how much was asked, is free and is in use.
  void* allocate(size_t bytes, Message& message);
  // The work that was put into the stream before may still use it.
  void release(void* memory);
  size_t liveBytes() const { return live_; }

 private:
  Stream& stream_;
  std::unordered_map<void*, size_t> blocks_;
  size_t live_ = 0;
};

}  // namespace rdi::cuda
