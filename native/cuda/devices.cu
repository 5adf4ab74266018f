#include "devices.h"
#include "runtime.h"

namespace rdi::cuda {
namespace {

struct Architecture {
  const char* name;
  int32_t computeCapability;
};

// As native/cuda/CMakeLists.txt gives them to the compiler; those in between run the next older one.
constexpr Architecture architectures[] = {{"sm_90", 90}, {"sm_89", 89}, {"sm_86", 86}, {"sm_80", 80}, {"sm_75", 75}};
constexpr auto architectureCount = int32_t(sizeof(architectures) / sizeof(architectures[0]));

}  // namespace

const char* architectureName(int32_t index) {
  return index >= 0 && index < architectureCount ? architectures[index].name : nullptr;
}

int32_t countDevices(Message& why) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaSuccess && count > 0) return count;
  cudaGetLastError();
  int driver = 0;
  if (error == cudaErrorInsufficientDriver && cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0) {
    why.clear() << "Expected an NVIDIA driver for CUDA 13.0 (580 or newer) but found one for CUDA " << driver / 1000
                << "." << driver % 1000 / 10;
  } else if (error == cudaErrorInsufficientDriver) {
    why.clear() << "Expected an NVIDIA driver but found none";
  } else {
    why.clear() << "Expected an NVIDIA GPU but found none (" << cudaGetErrorString(error) << ")";
  }
  return 0;
}

bool describeDevice(int32_t device, DeviceInfo& info) {
  cudaDeviceProp properties;
  if (cudaGetDeviceProperties(&properties, device) != cudaSuccess) {
    cudaGetLastError();
    return false;
  }
  info.name.clear() << properties.name << ", compute capability " << properties.major << "." << properties.minor;
  info.bytes = properties.totalGlobalMem;
  info.computeCapability = properties.major * 10 + properties.minor;
  info.multiprocessors = properties.multiProcessorCount;
  info.architecture = nullptr;
  for (int32_t i = architectureCount - 1; i >= 0; i--) {
    if (architectures[i].computeCapability <= info.computeCapability) info.architecture = architectures[i].name;
  }
  return true;
}

}  // namespace rdi::cuda
