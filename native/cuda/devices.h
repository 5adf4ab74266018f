// The GPUs of this machine, and the architectures that the kernels were compiled for.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/message.h"

namespace rdi::cuda {

struct DeviceInfo {
  Message name;
  const char* architecture;  // "sm_90"; null: older than all that the kernels were compiled for
  size_t bytes;
  int32_t computeCapability;  // 90 for 9.0
  int32_t multiprocessors;
};

// How many there are; if none, `why` says the reason.
int32_t countDevices(Message& why);
// False if there is no such device, or the driver cannot tell.
bool describeDevice(int32_t device, DeviceInfo& info);

// The newest first. Null beyond the last.
const char* architectureName(int32_t index);

}  // namespace rdi::cuda
