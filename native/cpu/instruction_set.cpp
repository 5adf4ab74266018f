#include "instruction_set.h"

#include "core/memory.h"

// Defined by all_kernels.cpp, once for each instruction set that it is compiled for.
namespace rdi {
#if defined(__x86_64__) || defined(_M_X64)
namespace avx512 {
const Kernel* findKernel(const char* name);
}
namespace avx2 {
const Kernel* findKernel(const char* name);
}
namespace baseline {
const Kernel* findKernel(const char* name);
}
#elif defined(__wasm_relaxed_simd__)
namespace relaxed_simd {
const Kernel* findKernel(const char* name);
}
#elif defined(__wasm_simd128__)
namespace simd128 {
const Kernel* findKernel(const char* name);
}
#elif defined(__ARM_NEON)
namespace neon {
const Kernel* findKernel(const char* name);
}
#else
namespace baseline {
const Kernel* findKernel(const char* name);
}
#endif

namespace {

constexpr bool always() { return true; }

#if defined(__x86_64__) || defined(_M_X64)
// What the build compiles them with, and that the system saves the registers.
bool hasAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("fma");
}
bool hasAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

constexpr InstructionSet sets[] = {
    {"avx512", hasAvx512, avx512::findKernel},
    {"avx2", hasAvx2, avx2::findKernel},
    {"baseline", always, baseline::findKernel},
};
#elif defined(__wasm_relaxed_simd__)
constexpr InstructionSet sets[] = {{"relaxed-simd", always, relaxed_simd::findKernel}};
#elif defined(__wasm_simd128__)
constexpr InstructionSet sets[] = {{"simd128", always, simd128::findKernel}};
#elif defined(__ARM_NEON)
constexpr InstructionSet sets[] = {{"neon", always, neon::findKernel}};
#else
constexpr InstructionSet sets[] = {{"baseline", always, baseline::findKernel}};
#endif

}  // namespace

size_t instructionSetCount() { return sizeof(sets) / sizeof(sets[0]); }

const InstructionSet& instructionSet(size_t index) { return sets[index]; }

const InstructionSet* chooseInstructionSet(const char* name) {
  for (const InstructionSet& set : sets) {
    if ((!name || sameText(set.name, name)) && set.supported()) return &set;
  }
  return nullptr;
}

bool bindKernels(const InstructionSet& set, Plan& plan, Message& message) {
  for (Node& node : plan.nodes) {
    node.kernel = set.findKernel(node.op->name);
    if (!node.kernel) {
      message.clear() << "Expected a kernel of \"" << node.op->name << "\" for " << set.name << " but there is none";
      return false;
    }
    NodeView view(plan, node);
    if (node.kernel->prepare) node.kernel->prepare(view);
  }
  return true;
}

}  // namespace rdi
