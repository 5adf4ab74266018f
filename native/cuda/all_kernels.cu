#include "core/memory.h"
#include "kernel.h"

namespace rdi::cuda {

const Kernel* findKernel(const char* name) {
  const KernelList lists[] = {convKernels(), linearKernels(), poolKernels(),   normKernels(),  elementwiseKernels(),
                              lossKernels(), randomKernels(), layoutKernels(), reduceKernels()};
  for (const KernelList& list : lists) {
    for (size_t i = 0; i < list.count; i++) {
      if (sameText(list.first[i].name, name)) return &list.first[i];
    }
  }
  return nullptr;
}

}  // namespace rdi::cuda
