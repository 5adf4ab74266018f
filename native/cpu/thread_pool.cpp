#include "thread_pool.h"

namespace rdi {

bool ThreadPool::start(Heap& heap, int32_t workers, Message& message) {
  if (workers < 1 || workers > maxWorkers) {
    message.clear() << "Expected 1 to " << maxWorkers << " workers but received " << workers;
    return false;
  }
  if (workers > 1 && !threadsSupported) {
    message.clear() << "Expected 1 worker in the single-threaded module but received " << workers;
    return false;
  }
  workers_ = workers;
#ifdef __wasm__
  if (!stacks_.reserve(heap, size_t(workers - 1) * stackBytes, message)) return false;
#else
  (void)heap;
#endif
  if (startThreads()) return true;
  message.clear() << "Could not start " << workers - 1 << " threads";
  return false;
}

void* ThreadPool::stackTop(int32_t worker) {
  return worker >= 1 && worker < workers_ ? stacks_.data() + size_t(worker) * stackBytes : nullptr;
}

void ThreadPool::workerMain(int32_t worker) {
  for (uint32_t seen = 0;; seen++) {
    jobNumber_.waitWhile(seen);
    if (stopping_) break;
    job_(context_, worker);
    barrier();
  }
#ifdef __wasm__
  __atomic_fetch_sub(&running_, 1, __ATOMIC_RELEASE);
#endif
}

void ThreadPool::run(Job job, void* context) {
  job_ = job;
  context_ = context;
  nextTask_ = 0;
  if (workers_ > 1) jobNumber_.advance();
  job(context, 0);
  barrier();
}

void ThreadPool::barrier() {
  uint32_t number = barrierNumber_.load();
  if (__atomic_add_fetch(&atBarrier_, 1, __ATOMIC_ACQ_REL) < workers_) {
    barrierNumber_.waitWhile(number);
    return;
  }
  // The last to come finds all others waiting, so what it sets here is set before any of them goes on.
  atBarrier_ = 0;
  nextTask_ = 0;
  if (workers_ > 1) barrierNumber_.advance();
}

void ThreadPool::stop() {
  if (workers_ > 1) {
    stopping_ = true;
    jobNumber_.advance();
  }
  joinThreads();
  workers_ = 1;
}

}  // namespace rdi
