// Placement new: WebAssembly's build has no C++ library to have it from.
#pragma once

#ifdef __wasm__
#include <stddef.h>
inline void* operator new(size_t, void* place) noexcept { return place; }
#else
#include <new>
#endif
