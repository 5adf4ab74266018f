// Threads of a host process. This file alone is compiled with exceptions, which is how std::thread says that there are
// no more threads.
#ifndef __wasm__

#include <exception>
#include <new>
#include <thread>

#include "thread_pool.h"

namespace rdi {

bool ThreadPool::startThreads() {
  if (workers_ == 1) return true;
  const int32_t wanted = workers_;
  auto threads = new (std::nothrow) std::thread[size_t(wanted - 1)];
  workers_ = 1;
  if (!threads) return false;
  threads_ = threads;
  // Workers look at workers_ in a job only, so it may grow while they wait for the first.
  try {
    for (int32_t worker = 1; worker < wanted; worker++, workers_++) {
      threads[worker - 1] = std::thread([this, worker] { workerMain(worker); });
    }
  } catch (const std::exception&) {
    return false;
  }
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
