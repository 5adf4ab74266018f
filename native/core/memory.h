// What string.h would give: a freestanding engine has no libc, but every compiler lowers these builtins.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/isa.h"

namespace rdi {

RDI_INLINE void copyBytes(void* to, const void* from, size_t bytes) {
  // Rows that already lie where they belong are a common case, and memcpy may not be asked to copy them.
  if (to != from && bytes > 0) __builtin_memmove(to, from, bytes);
}

RDI_INLINE void zeroBytes(void* to, size_t bytes) {
  if (bytes > 0) __builtin_memset(to, 0, bytes);
}

RDI_INLINE bool sameBytes(const void* a, const void* b, size_t bytes) {
  auto x = static_cast<const unsigned char*>(a), y = static_cast<const unsigned char*>(b);
  for (size_t i = 0; i < bytes; i++) {
    if (x[i] != y[i]) return false;
  }
  return true;
}

RDI_INLINE bool sameText(const char* a, const char* b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

// Floats of whole cache lines.
RDI_INLINE constexpr uint64_t wholeLines(uint64_t floats) { return (floats + 15) / 16 * 16; }

}  // namespace rdi
