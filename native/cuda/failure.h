// What a failure of the device is told as.
#pragma once

#include "core/message.h"
#include "runtime.h"

namespace rdi::cuda {

// `what` was being done when the failure of something in a stream was noticed; kernels that run beside the host fail
// earlier than that. Returns the rdi_status, RDI_OK for no error.
int32_t describeFailure(cudaStream_t stream, cudaError_t error, const char* what, Message& message);

}  // namespace rdi::cuda
