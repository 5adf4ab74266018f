#include "work_queue.h"

#include <utility>

namespace rdi::addon {

WorkQueue::WorkQueue(Napi::Env env)
    : notify_(Napi::ThreadSafeFunction::New(env, Napi::Function(), "rdi-net", 0, 1)), thread_([this] { serve(); }) {
  notify_.Unref(env);
}

void WorkQueue::push(Napi::Env env, std::unique_ptr<Task> task) {
  const bool settles = task->settles();
  {
    std::lock_guard guard(lock_);
    waiting_.push_back(std::move(task));
  }
  wake_.notify_one();
  if (settles && awaited_++ == 0) notify_.Ref(env);
}

bool WorkQueue::idle() {
  std::lock_guard guard(lock_);
  return waiting_.empty() && inHand_.empty();
}

void WorkQueue::serve() {
  std::unique_lock guard(lock_);
  for (;;) {
    wake_.wait(guard, [this] { return closing_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    inHand_.splice(inHand_.end(), waiting_, waiting_.begin());
    guard.unlock();
    std::unique_ptr<Task>& task = inHand_.front();
    task->execute();
    const bool settles = task->settles();
    if (!settles) task.reset();
    guard.lock();
    if (!settles) {
      inHand_.clear();
      continue;
    }
    done_.splice(done_.end(), inHand_);
    if (closing_) continue;
    guard.unlock();
    // Fails only when the process ends, and then nobody waits any more.
    notify_.NonBlockingCall([this](Napi::Env env, Napi::Function) { settleDone(env); });
    guard.lock();
  }
}

void WorkQueue::settleDone(Napi::Env env) {
  for (;;) {
    std::unique_ptr<Task> task;
    {
      std::lock_guard guard(lock_);
      if (done_.empty()) return;
      task = std::move(done_.front());
      done_.pop_front();
    }
    if (--awaited_ == 0) notify_.Unref(env);
    task->settle(env);
  }
}

void WorkQueue::close(Napi::Env env, bool settle) {
  {
    std::lock_guard guard(lock_);
    closing_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (settle) settleDone(env);
  done_.clear();
  notify_.Abort();
}

}  // namespace rdi::addon
