#include "core/rdi.h"
#include "failure.h"

namespace rdi::cuda {
namespace {

// Some failures end all work of the process on the device: waiting then fails, too.
bool deviceIsLost(cudaStream_t stream) { return stream && cudaStreamSynchronize(stream) != cudaSuccess; }

}  // namespace

int32_t describeFailure(cudaStream_t stream, cudaError_t error, const char* what, Message& message) {
  if (error == cudaSuccess) return RDI_OK;
  const char *description = cudaGetErrorString(error), *name = cudaGetErrorName(error);
  message.clear();
  if (deviceIsLost(stream)) {
    message << "The GPU failed: " << description << " (" << name << "), noticed at [" << what
            << "]. It is lost to this process, which has to be started again; with CUDA_LAUNCH_BLOCKING=1 in the "
               "environment the error names the operation";
  } else {
    message << "The GPU failed at [" << what << "]: " << description << " (" << name << ")";
    size_t free = 0, total = 0;
    if (error == cudaErrorMemoryAllocation && cudaMemGetInfo(&free, &total) == cudaSuccess) {
      message << "; " << uint64_t(free) << " of " << uint64_t(total) << " bytes are free";
    }
  }
  cudaGetLastError();  // or the next launch would be told of it too
  return error == cudaErrorMemoryAllocation ? RDI_OUT_OF_MEMORY : RDI_DEVICE_FAILED;
}

}  // namespace rdi::cuda
