// A word that threads sleep at until it changes: memory.atomic.wait in WebAssembly, std::atomic's wait on hosts, and
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

class WaitWord {
 public:
#if !defined(__wasm__)
  uint32_t load() const { return value_.load(std::memory_order_acquire); }
#else
  uint32_t load() const { return __atomic_load_n(&value_, __ATOMIC_ACQUIRE); }
#endif

  // Returns when the word is no longer `value`. Work comes in quick succession, so it first looks for a few
  // microseconds without sleeping.
  void waitWhile(uint32_t value) {
    constexpr int spins = 2000;
    for (int i = 0; i < spins; i++) {
      if (load() != value) return;
    }
#if !defined(__wasm__)
    value_.wait(value, std::memory_order_acquire);
#elif defined(__wasm_atomics__)
    while (load() == value)
      __builtin_wasm_memory_atomic_wait32(reinterpret_cast<int32_t*>(&value_), int32_t(value), -1);
#endif
  }

  // Changes the word, and wakes all that wait for it.
  void advance() {
#if !defined(__wasm__)
    value_.fetch_add(1, std::memory_order_release);
    value_.notify_all();
#else
    __atomic_fetch_add(&value_, 1, __ATOMIC_RELEASE);
#if defined(__wasm_atomics__)
    __builtin_wasm_memory_atomic_notify(reinterpret_cast<int32_t*>(&value_), UINT32_MAX);
#endif
#endif
  }

 private:
#if !defined(__wasm__)
  std::atomic<uint32_t> value_ = 0;
#else
  uint32_t value_ = 0;
#endif
};

}  // namespace rdi
