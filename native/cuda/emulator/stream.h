// A stream: its work is done at once, but for what has to wait for something outside of it.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

struct EmulatedGraph {
  std::vector<std::function<void()>> work;
};

// Virtual, so that the emulated NCCL, a library of its own, can use it too.
class EmulatedStream {
 public:
  virtual ~EmulatedStream() = default;

  // Asks `step` again and again until it is done; what comes later waits for it.
  virtual void push(std::function<bool()> step) {
    waiting_.push_back(std::move(step));
    advance();
  }
  virtual void enqueue(std::function<void()> work) {
    if (EmulatedGraph* graph = capturing) {
      graph->work.push_back(std::move(work));
    } else if (waiting_.empty()) {
      work();
    } else {
      waiting_.push_back([work = std::move(work)] { return work(), true; });
    }
  }
  // Does what can be done; whether nothing is left.
  bool advance() {
    while (!waiting_.empty() && waiting_.front()()) waiting_.pop_front();
    return waiting_.empty();
  }

  // Read by all threads that use the stream.
  std::atomic<EmulatedGraph*> capturing = nullptr;

 private:
  std::deque<std::function<bool()>> waiting_;
};
