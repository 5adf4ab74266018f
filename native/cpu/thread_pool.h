// The workers of an engine. The caller's thread is worker 0; the others sleep until there is a job, and take part in it
// with barriers and a shared task counter.
#pragma once

#include <stdint.h>

#include "core/heap.h"
#include "wait_word.h"

namespace rdi {

class ThreadPool {
 public:
  static constexpr int32_t maxWorkers = 256;
  using Job = void (*)(void* context, int32_t worker);

  ThreadPool() = default;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() { stop(); }

  // Hosts start the threads here. In WebAssembly only the outside can start threads: it gives each a stack from here,
  // and has it call workerMain.
  [[nodiscard]] bool start(Heap& heap, int32_t workers, Message& message);
  // Returns when every worker has left workerMain.
  void stop();

  int32_t workers() const { return workers_; }
  // The end of worker's stack, where its stack pointer starts (WebAssembly).
  void* stackTop(int32_t worker);
  // What worker 1 … workers − 1 does until stop().
  void workerMain(int32_t worker);

  // Runs the job on every worker, and returns when all are done.
  void run(Job job, void* context);

  // Within a job: waits until all workers are here, and sets the task counter to 0.
  void barrier();
  // Within a job: the next task since the last barrier or the job's start, 0, 1, 2 …; each number goes to one worker.
  int32_t takeTask() { return __atomic_fetch_add(&nextTask_, 1, __ATOMIC_RELAXED); }

 private:
  static constexpr size_t stackBytes = 256 * 1024;

  // False if not all of workers_ could be started, which then are those that were.
  bool startThreads();
  void joinThreads();

  int32_t workers_ = 1;
  Job job_ = nullptr;
  void* context_ = nullptr;
  bool stopping_ = false;
  int32_t nextTask_ = 0;
  // The words that threads meet at, each on a cache line of its own.
  alignas(64) WaitWord jobNumber_;
  alignas(64) WaitWord barrierNumber_;
  alignas(64) int32_t atBarrier_ = 0;
#ifdef __wasm__
  alignas(64) int32_t running_ = 0;  // workers besides 0 that are inside workerMain
#endif
  Array<unsigned char> stacks_;
  void* threads_ = nullptr;  // the host's std::thread objects
};

}  // namespace rdi
