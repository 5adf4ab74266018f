#include "device_memory.h"
#include "failure.h"

namespace rdi::cuda {

DeviceMemory::~DeviceMemory() {
  for (const auto& [memory, bytes] : blocks_) cudaFreeAsync(memory, stream_.handle());
}

bool DeviceMemory::create(int32_t device, Stream& stream) {
  stream_.create();
  stream.check(stream_.takeError(), "creating a stream");
  stream.check(cudaDeviceGetDefaultMemPool(&pool_, device), "the memory pool");
  if (stream.error() != cudaSuccess) return false;
  // Freed memory stays with the process, for the next that asks.
  uint64_t all = UINT64_MAX;
  return stream.check(cudaMemPoolSetAttribute(pool_, cudaMemPoolAttrReleaseThreshold, &all), "the memory pool");
}

// Memory may be used in any stream when the one that it was allocated in has got there.
cudaError_t DeviceMemory::tryAllocate(void** memory, size_t bytes) {
  const cudaError_t error = cudaMallocAsync(memory, bytes, stream_.handle());
  return error == cudaSuccess ? cudaStreamSynchronize(stream_.handle()) : error;
}

void* DeviceMemory::allocate(size_t bytes, Message& message) {
  void* memory = nullptr;
  // None of 0 bytes: each has to have an address of its own.
  const size_t wanted = bytes > 0 ? bytes : 1;
  cudaError_t error = tryAllocate(&memory, wanted);
  if (error == cudaErrorMemoryAllocation) {
    // The pool may hold what is free in pieces that do not fit.
    cudaStreamSynchronize(stream_.handle());
    cudaMemPoolTrimTo(pool_, 0);
    cudaGetLastError();
    error = tryAllocate(&memory, wanted);
  }
  if (error == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    message.clear() << "Out of the device's memory: " << uint64_t(bytes) << " bytes were asked for, " << uint64_t(free)
                    << " of " << uint64_t(total) << " are free, and " << uint64_t(live_) << " are in use here";
    return nullptr;
  }
  if (error != cudaSuccess) {
    describeFailure(stream_.handle(), error, "allocating memory", message);
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
