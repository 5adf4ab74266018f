// Starts kernels, in a stream whose first error is kept: what comes after one does nothing.
#pragma once

#include "core/message.h"
#include "runtime.h"

namespace rdi::cuda {

class Stream {
 public:
  Stream() = default;
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (stream_) cudaStreamDestroy(stream_);
  }

  bool create() { return check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream"); }
  cudaStream_t handle() const { return stream_; }

  // The first error since it was last taken, and what was being done.
  cudaError_t error() const { return error_; }
  const char* failed() const { return what_; }
  cudaError_t takeError() {
    const cudaError_t error = error_;
    error_ = cudaSuccess;
    return error;
  }
  bool check(cudaError_t error, const char* what) {
    if (error != cudaSuccess && error_ == cudaSuccess) {
      error_ = error;
      what_ = what;
      cudaGetLastError();  // or the next launch would be told of it too
    }
    return error_ == cudaSuccess;
  }

  // Every kernel takes one plain struct. `name` is for the message if it cannot be started.
  template <class Arguments>
  void launch(const char* name, void (*kernel)(Arguments), dim3 grid, unsigned threads, const Arguments& arguments,
              size_t sharedBytes = 0) {
    if (error_ != cudaSuccess) return;
#ifdef RDI_CUDA_EMULATED
    check(emulator::launch(stream_, grid, dim3(threads), sharedBytes, [=] { kernel(arguments); }), name);
#else
    // More than this has to be asked for.
    constexpr size_t ordinaryShared = 48 * 1024;
    if (sharedBytes > ordinaryShared) {
      check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, int(sharedBytes)), name);
    }
    void* list[] = {const_cast<Arguments*>(&arguments)};
    check(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, dim3(threads), list, sharedBytes, stream_),
          name);
#endif
  }

  void copy(void* to, const void* from, size_t bytes) {
    if (error_ == cudaSuccess && bytes > 0 && to != from) {
      check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_), "a copy");
    }
  }
  void zero(void* to, size_t bytes) {
    if (error_ == cudaSuccess && bytes > 0) check(cudaMemsetAsync(to, 0, bytes, stream_), "clearing memory");
  }

 private:
  cudaStream_t stream_ = nullptr;
  cudaError_t error_ = cudaSuccess;
  const char* what_ = "";
};

}  // namespace rdi::cuda
