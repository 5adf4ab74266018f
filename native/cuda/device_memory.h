// The device's memory: blocks from its pool, which are counted, and freed with the engine.
#pragma once

#include <unordered_map>

#include "launch.h"

namespace rdi::cuda {

// It has a stream of its own: buffers come and go while another thread captures the engine's as a graph, and must not
// become part of that.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory();

  // False with the error of `stream`.
  bool create(int32_t device, Stream& stream);
  // 256-byte aligned. Null when memory is out; the message says how much was asked, is free and is in use.
  void* allocate(size_t bytes, Message& message);
  // No work may still use it.
  void release(void* memory);
  size_t liveBytes() const { return live_; }

 private:
  cudaError_t tryAllocate(void** memory, size_t bytes);

  Stream stream_;
  cudaMemPool_t pool_ = nullptr;
  std::unordered_map<void*, size_t> blocks_;
  size_t live_ = 0;
};

}  // namespace rdi::cuda
