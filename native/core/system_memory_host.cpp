// Memory of a host process.
#ifndef __wasm__

#include <stdlib.h>

#include "heap.h"

namespace rdi {

void* systemAllocate(size_t bytes) {
  constexpr size_t alignment = 64;
  if (bytes > SIZE_MAX - alignment) return nullptr;
  return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

void systemFree(void* memory) { free(memory); }

}  // namespace rdi

#endif
