// Memory of a host process.
#ifndef __wasm__

#include <stdlib.h>
#ifdef _WIN32
#include <malloc.h>
#endif

#include "heap.h"

namespace rdi {

void* systemAllocate(size_t bytes) {
  constexpr size_t alignment = 64;
  if (bytes > SIZE_MAX - alignment) return nullptr;
#ifdef _WIN32
  return _aligned_malloc(bytes, alignment);
#else
  return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
#endif
}

void systemFree(void* memory) {
#ifdef _WIN32
  _aligned_free(memory);
#else
  free(memory);
#endif
}

}  // namespace rdi

#endif
