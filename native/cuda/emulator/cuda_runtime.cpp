#include "cuda_runtime.h"

#include <stdio.h>
#include <stdlib.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "faults.h"
#include "stream.h"

namespace {

constexpr size_t mostShared = 64 * 1024;  // the least that any supported GPU has

// Failures of the device: none, or that by which it was lost.
std::atomic<cudaError_t> lost = cudaSuccess;

// What the device has given out, and what its pool keeps of that which has come back.
class Memory {
 public:
  void* allocate(size_t bytes) {
    std::lock_guard guard(lock_);
    // The pool serves what fits into it alone: the strictest that a real one may be.
    const bool fromPool = bytes <= pooled();
    if (!fromPool && bytes > room() - pooled()) return nullptr;
    // Aligned as CUDA's; what nothing has written is NaN.
    void* memory = nullptr;
    if (posix_memalign(&memory, 256, bytes) != 0) return nullptr;
    memset(memory, 0xff, bytes);
    sizes_.emplace(memory, bytes);
    used_ += bytes;
    if (fromPool) pooled_ -= bytes;
    return memory;
  }
  bool release(void* memory) {
    std::lock_guard guard(lock_);
    const auto found = sizes_.find(memory);
    if (found == sizes_.end()) return false;
    used_ -= found->second;
    pooled_ += found->second;
    sizes_.erase(found);
    free(memory);
    return true;
  }
  size_t left() {
    std::lock_guard guard(lock_);
    return room() - pooled();
  }
  void trim() {
    std::lock_guard guard(lock_);
    pooled_ = 0;
  }
  static size_t total() {
    const char* given = getenv("RDI_EMULATED_MEMORY");
    return given ? strtoull(given, nullptr, 10) : size_t(1) << 32;
  }

 private:
  // The total may be changed at any time.
  size_t room() const { return total() > used_ ? total() - used_ : 0; }
  size_t pooled() const { return pooled_ < room() ? pooled_ : room(); }

  std::mutex lock_;
  std::unordered_map<void*, size_t> sizes_;
  size_t used_ = 0, pooled_ = 0;
};

// Of all devices together.
Memory& memory() {
  static Memory all;
  return all;
}

int deviceCount() {
  const char* given = getenv("RDI_EMULATED_DEVICES");
  return given ? atoi(given) : 1;
}

bool isDevice(int device) { return device >= 0 && device < deviceCount(); }

}  // namespace

namespace rdi::emulator {

cudaError_t enqueue(cudaStream_t stream, std::function<void()> work) {
  if (lost) return lost;
  stream->enqueue(std::move(work));
  return cudaSuccess;
}

cudaError_t launch(cudaStream_t stream, dim3 grid, dim3 block, size_t bytes, std::function<void()> thread) {
  if (grid.x < 1 || grid.y < 1 || grid.z < 1 || grid.y > 65535 || grid.z > 65535 || block.x < 1 || block.x > 1024 ||
      block.y != 1 || block.z != 1 || bytes > mostShared) {
    return cudaErrorInvalidConfiguration;
  }
  if (lost) return lost;
  if (failsNow("launch")) return cudaErrorLaunchOutOfResources;
  return enqueue(stream, [=, thread = std::move(thread)] {
    // As on a GPU, it is found out later.
    if (failsNow("kernel")) lost = cudaErrorIllegalAddress;
    if (lost) return;
    position.size = block;
    position.blocks = grid;
    auto run = [](void* self, int) { (*static_cast<const std::function<void()>*>(self))(); };
    for (unsigned z = 0; z < grid.z; z++) {
      for (unsigned y = 0; y < grid.y; y++) {
        for (unsigned x = 0; x < grid.x; x++) {
          position.block = {x, y, z};
          runBlock(int(block.x), bytes, run, const_cast<std::function<void()>*>(&thread));
        }
      }
    }
  });
}

}  // namespace rdi::emulator

cudaError_t cudaGetDeviceCount(int* count) {
  *count = deviceCount();
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (!isDevice(device)) return cudaErrorInvalidDevice;
  *properties = {};
  snprintf(properties->name, sizeof(properties->name), "Emulated GPU");
  properties->totalGlobalMem = Memory::total();
  properties->major = 8;
  properties->multiProcessorCount = 1;  // small tests fill it
  properties->sharedMemPerBlockOptin = mostShared;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) { return isDevice(device) ? cudaSuccess : cudaErrorInvalidDevice; }

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetLastError() { return cudaSuccess; }

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidConfiguration:
      return "invalid configuration argument";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    case cudaErrorLaunchOutOfResources:
      return "too many resources requested for launch";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    default:
      return "invalid argument";
  }
}

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchOutOfResources:
      return "cudaErrorLaunchOutOfResources";
    case cudaErrorStreamCaptureUnsupported:
      return "cudaErrorStreamCaptureUnsupported";
    default:
      return "cudaErrorInvalidValue";
  }
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  if (lost) return lost;
  *free = memory().left();
  *total = Memory::total();
  return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** result, size_t bytes, cudaStream_t stream) {
  if (lost) return lost;
  // It would become part of the graph.
  if (stream->capturing) return cudaErrorStreamCaptureUnsupported;
  *result = memory().allocate(bytes);
  return *result ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeAsync(void* given, cudaStream_t stream) {
  if (lost) return lost;
  if (stream->capturing) return cudaErrorStreamCaptureUnsupported;
  return memory().release(given) ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  *pool = nullptr;
  return isDevice(device) ? cudaSuccess : cudaErrorInvalidDevice;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) { return lost; }

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) {
  memory().trim();
  return lost;
}

cudaError_t cudaMallocHost(void** result, size_t bytes) {
  if (lost) return lost;
  *result = malloc(bytes);
  return *result ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void* given) {
  free(given);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t stream) {
  if (rdi::emulator::failsNow("copy")) return cudaErrorInvalidValue;
  return rdi::emulator::enqueue(stream, [=] { memcpy(to, from, bytes); });
}

cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  return rdi::emulator::enqueue(stream, [=] { memset(to, value, bytes); });
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  if (lost) return lost;
  *stream = new EmulatedStream;
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  if (lost) return lost;
  if (stream->capturing) return cudaErrorInvalidValue;
  while (!stream->advance()) std::this_thread::yield();
  return lost;
}

cudaError_t cudaStreamQuery(cudaStream_t stream) { return stream->advance() ? cudaSuccess : cudaErrorNotReady; }

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  if (lost) return lost;
  *event = new EmulatedEvent;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t) { return lost; }
cudaError_t cudaEventSynchronize(cudaEvent_t) { return lost; }

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode) {
  if (lost) return lost;
  if (stream->capturing) return cudaErrorInvalidValue;
  stream->capturing = new EmulatedGraph;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  *graph = stream->capturing.exchange(nullptr);
  return *graph ? cudaSuccess : cudaErrorInvalidValue;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  if (lost) return lost;
  if (rdi::emulator::failsNow("graph")) return cudaErrorMemoryAllocation;
  *executable = new EmulatedGraph(*graph);
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  if (lost) return lost;
  if (stream->capturing) return cudaErrorInvalidValue;
  for (const auto& work : executable->work) stream->enqueue(work);
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
