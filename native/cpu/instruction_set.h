// The instruction sets that the kernels of this build were compiled for. Which of them a machine has is found out when
// an engine is created, so that one binary serves all machines of an architecture.
#pragma once

#include <stddef.h>

#include "kernel.h"

namespace rdi {

struct InstructionSet {
  const char* name;
  // Whether this machine has it.
  bool (*supported)();
  // Null if there is no kernel of that name.
  const Kernel* (*findKernel)(const char* name);
};

size_t instructionSetCount();
// The widest first.
const InstructionSet& instructionSet(size_t index);
// By name, or the first that this machine has if `name` is null. Null if it is unknown or this machine lacks it.
const InstructionSet* chooseInstructionSet(const char* name);

// Gives every node of a checked plan its kernel, and prepares it.
[[nodiscard]] bool bindKernels(const InstructionSet& set, Plan& plan, Message& message);

}  // namespace rdi
