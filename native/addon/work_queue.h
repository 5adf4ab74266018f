// Tasks that a thread of its own does one after another, so that JavaScript's event loop goes on meanwhile.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

namespace rdi::addon {

class Task {
 public:
  virtual ~Task() = default;
  // On the queue's thread.
  virtual void execute() = 0;
  // Whether somebody in JavaScript waits for it: then settle() follows, on JavaScript's thread, where the task is
  // destroyed as well. Other tasks are destroyed on the queue's thread, and hold nothing of JavaScript's.
  virtual bool settles() const { return false; }
  virtual void settle(Napi::Env) {}
};

class WorkQueue {
 public:
  explicit WorkQueue(Napi::Env env);
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;
  // close() comes first.
  ~WorkQueue() = default;

  void push(Napi::Env env, std::unique_ptr<Task> task);
  // Whether every task has been executed: then nothing happens on the queue's thread until the next push().
  bool idle();
  // Executes what waits, ends the thread, and destroys the tasks that were not settled. `settle`: settles them before.
  void close(Napi::Env env, bool settle);

 private:
  void serve();
  void settleDone(Napi::Env env);

  std::mutex lock_;
  std::condition_variable wake_;
  // A task moves from list to list with its place in it, so that the queue's thread asks for no memory.
  std::list<std::unique_ptr<Task>> waiting_, inHand_, done_;
  bool closing_ = false;
  // For JavaScript's thread alone: tasks that somebody waits for. While there are any the process stays alive.
  size_t awaited_ = 0;
  Napi::ThreadSafeFunction notify_;
  std::thread thread_;
};

}  // namespace rdi::addon
