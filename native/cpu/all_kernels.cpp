#include "core/memory.h"
#include "op_kernels.h"

namespace rdi::inline RDI_ISA {

const Kernel* findKernel(const char* name) {
  const KernelList lists[] = {convKernels(), linearKernels(), poolKernels(),   normKernels(),   elementwiseKernels(),
                              lossKernels(), randomKernels(), layoutKernels(), reduceKernels(), quantizedKernels()};
  for (const KernelList& list : lists) {
    for (size_t i = 0; i < list.count; i++) {
      if (sameText(list.first[i].name, name)) return &list.first[i];
    }
  }
  return nullptr;
}

}  // namespace rdi::inline RDI_ISA
