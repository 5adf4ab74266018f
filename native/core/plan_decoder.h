// From the words of docs/plan-format.md to a Plan.
#pragma once

#include "instruction_set.h"
#include "plan.h"

namespace rdi {

// Reads the words, with the kernels of an instruction set, and checks each by itself and against the header. False with
// a message that names the word.
[[nodiscard]] bool decodePlan(Heap& heap, const InstructionSet& isa, const int32_t* words, size_t count, Plan& plan,
                              Message& message);

// Checks what nodes, phases, carries and segments may do with values, and prepares every node's kernel.
[[nodiscard]] bool checkPlan(Heap& heap, Plan& plan, Message& message);

}  // namespace rdi
