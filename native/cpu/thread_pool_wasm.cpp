// Threads of a WebAssembly module: the loader starts them, each in an instance of its own on the same memory.
#ifdef __wasm__

#include "thread_pool.h"

namespace rdi {

bool ThreadPool::startThreads() {
  running_ = workers_ - 1;
  return true;
}

void ThreadPool::joinThreads() {
  // Leaving takes a worker no time, and it cannot be waited for in another way: it has no handle in here.
  while (__atomic_load_n(&running_, __ATOMIC_ACQUIRE) > 0) {
  }
}

}  // namespace rdi

#endif
