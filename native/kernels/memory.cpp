// The memory functions that compilers call on their own, for the module without a C library. With bulk memory each is
// one instruction.
#if defined(__wasm_bulk_memory__)

#include <stddef.h>

extern "C" {

void* memcpy(void* __restrict to, const void* __restrict from, size_t bytes) {
  __builtin_memcpy(to, from, bytes);
  return to;
}

void* memmove(void* to, const void* from, size_t bytes) {
  __builtin_memmove(to, from, bytes);
  return to;
}

void* memset(void* to, int value, size_t bytes) {
  __builtin_memset(to, value, bytes);
  return to;
}

}  // extern "C"

#endif
