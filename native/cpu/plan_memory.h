// What a plan needs in order to run, besides its words: packed weights, arenas, and each worker's memory.
#pragma once

#include "core/plan.h"

namespace rdi {

[[nodiscard]] bool allocatePlan(Heap& heap, int32_t workers, Plan& plan, Message& message);

}  // namespace rdi
