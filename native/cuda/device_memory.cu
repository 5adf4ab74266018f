#include "device_memory.h"

namespace rdi::cuda {

DeviceMemory::~DeviceMemory() {
  for (const auto& [memory, bytes] : blocks_) cudaFreeAsync(memory, stream_.handle());
}

void* DeviceMemory::allocate(size_t bytes, Message& message) {
  void* memory = nullptr;
  // None of 0 bytes: each has to have an address of its own.
  const cudaError_t error = cudaMallocAsync(&memory, bytes > 0 ? bytes : 1, stream_.handle());
  if (error != cudaSuccess) {
    cudaGetLastError();
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    message.clear() << "Out of the device's memory: " << uint64_t(bytes) << " bytes were asked for, " << uint64_t(free)
                    << " of " << uint64_t(total) << " are free, and " << uint64_t(live_) << " are in use here ("
                    << cudaGetErrorString(error) << ")";
    return nullptr;
  }
  blocks_.emplace(memory, bytes);
  live_ += bytes;
  return memory;
}

void DeviceMemory::release(void* memory) {
  const auto found = blocks_.find(memory);
  if (found == blocks_.end()) return;
  live_ -= found->second;
  blocks_.erase(found);
  cudaFreeAsync(memory, stream_.handle());
}

}  // namespace rdi::cuda
