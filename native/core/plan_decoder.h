// From the words of docs/plan-format.md to a Plan.
#pragma once

#include "plan.h"

namespace rdi {

// Reads the words, and checks each by itself and against the header. False with a message that names the word.
[[nodiscard]] bool decodePlan(Heap& heap, const int32_t* words, size_t count, Plan& plan, Message& message);

// Checks every node by its operation, and what nodes, phases, carries and segments may do with values.
[[nodiscard]] bool checkPlan(Heap& heap, Plan& plan, Message& message);

}  // namespace rdi
