// What a plan has on the device.
#pragma once

#include <vector>

#include "device_memory.h"
#include "kernel.h"
#include "sections.h"

namespace rdi::cuda {

struct PlanMemory {
  float* arena;
  float* queues;
  float* scratch;
  float* accumulators;
  float* shared;
  Fault* fault;
  // Adaptive plans: how many images each segment has, which they are [segment][tile], where the rows of one go to and
  // those of the next come from [tile].
  int32_t* counts;
  int32_t* images;
  int32_t* destinations;
  int32_t* sources;

  void* all = nullptr;
  size_t bytes;
  std::vector<void*> values;  // where each value is, for the tile in hand
  Sections sections;
};

// False with a message when memory is out.
[[nodiscard]] bool allocatePlan(DeviceMemory& device, Plan& plan, PlanMemory& memory, Message& message);

}  // namespace rdi::cuda
