// Sleeping until a word of shared memory changes: memory.atomic.wait in WebAssembly, std::atomic's wait on hosts, and
// nothing in the single-threaded WebAssembly module, where nobody can wait for anybody.
#pragma once

#include <stdint.h>

#if !defined(__wasm__)
#include <atomic>
#endif

namespace rdi {

#if !defined(__wasm__) || defined(__wasm_atomics__)
inline constexpr bool threadsSupported = true;
#else
inline constexpr bool threadsSupported = false;
#endif

inline uint32_t loadWord(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }

// Returns when the word is no longer `value`. Work comes in quick succession, so it first looks for a few microseconds
// without sleeping.
inline void waitWhile(uint32_t* word, uint32_t value) {
  constexpr int spins = 2000;
  for (int i = 0; i < spins; i++) {
    if (loadWord(word) != value) return;
  }
#if !defined(__wasm__)
  std::atomic_ref<uint32_t>(*word).wait(value, std::memory_order_acquire);
#elif defined(__wasm_atomics__)
  while (loadWord(word) == value)
    __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int32_t*>(word), int32_t(value), -1);
#endif
}

// Changes the word, and wakes all that wait for it.
inline void advance(uint32_t* word) {
#if !defined(__wasm__)
  std::atomic_ref<uint32_t> shared(*word);
  shared.fetch_add(1, std::memory_order_release);
  shared.notify_all();
#else
  __atomic_fetch_add(word, 1, __ATOMIC_RELEASE);
#if defined(__wasm_atomics__)
  __builtin_wasm_memory_atomic_notify(reinterpret_cast<int32_t*>(word), UINT32_MAX);
#endif
#endif
}

}  // namespace rdi
