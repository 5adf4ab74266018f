// What an engine computes from the parameters alone and keeps between runs: packed weights and parameter phases.
#pragma once

#include "plan.h"

namespace rdi {

// Lists the packs of the nodes whose packedFloats are set, each where it lies in the memory of all, and the buffers
// that tell when what is kept is out of date. The memory is the engine's to allocate.
[[nodiscard]] bool planPacks(Heap& heap, Plan& plan, Message& message);

}  // namespace rdi
