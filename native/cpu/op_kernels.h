// The operations' kernels. Their adapters, the *_kernels.cpp files, are compiled like the kernels themselves: once for
// each instruction set, in its namespace.
#pragma once

#include "kernel.h"
#include "kernels/isa.h"

namespace rdi::inline RDI_ISA {

struct KernelList {
  const Kernel* first;
  size_t count;
};

// One a file of adapters.
KernelList convKernels();
KernelList linearKernels();
KernelList poolKernels();
KernelList normKernels();
KernelList elementwiseKernels();
KernelList lossKernels();
KernelList randomKernels();
KernelList layoutKernels();
KernelList reduceKernels();
KernelList quantizedKernels();

// Null if there is none of that name.
const Kernel* findKernel(const char* name);

}  // namespace rdi::inline RDI_ISA
