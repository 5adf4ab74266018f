// Threads of a host process.
#ifndef __wasm__

#include <new>
#include <thread>

#include "thread_pool.h"

namespace rdi {

bool ThreadPool::startThreads() {
  if (workers_ == 1) return true;
  auto threads = new (std::nothrow) std::thread[size_t(workers_ - 1)];
  if (!threads) return false;
  for (int32_t worker = 1; worker < workers_; worker++) {
    threads[worker - 1] = std::thread([this, worker] { workerMain(worker); });
  }
  threads_ = threads;
  return true;
}

void ThreadPool::joinThreads() {
  auto threads = static_cast<std::thread*>(threads_);
  for (int32_t worker = 1; worker < workers_; worker++) threads[worker - 1].join();
  delete[] threads;
  threads_ = nullptr;
}

}  // namespace rdi

#endif
