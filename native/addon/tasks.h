// What an engine's queue does.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

#include "resources.h"
#include "work_queue.h"

namespace rdi::addon {

// The error that JavaScript gets of a failure: its `code` is "RDI_CANCELLED" for a cancelled run,
// "RDI_PEER_FAILED" where another engine of the group has the fault, else "RDI_FAILED".
Napi::Value errorOf(Napi::Env env, const Failure& failure);

// Fills a buffer with a copy that was made when it was asked for.
class Write : public Task {
 public:
  Write(std::shared_ptr<Block> to, const void* data, size_t bytes);
  void execute() override;

 private:
  const std::shared_ptr<Block> to_;
  const std::vector<unsigned char> data_;
};

// A task whose promise JavaScript waits for.
class Awaited : public Task {
 public:
  // `engine`: the object that is to live until the promise is settled.
  explicit Awaited(const Napi::Object& engine)
      : deferred_(Napi::Promise::Deferred::New(engine.Env())), engine_(Napi::Persistent(engine)) {}
  Napi::Promise promise() const { return deferred_.Promise(); }
  bool settles() const override { return true; }
  void settle(Napi::Env env) override;

 protected:
  std::shared_ptr<const Failure> failure_;

 private:
  const Napi::Promise::Deferred deferred_;
  const Napi::ObjectReference engine_;
};

// Copies a buffer's start into an array of JavaScript's.
class Read : public Awaited {
 public:
  Read(const Napi::Object& engine, std::shared_ptr<Block> from, const Napi::TypedArray& into);
  void execute() override;

 private:
  const std::shared_ptr<Block> from_;
  void* const into_;
  const size_t bytes_;
  const Napi::Reference<Napi::TypedArray> array_;  // keeps the array while it is written to
};

// Waits for all that was asked before, and tells what went wrong with a plan since the last time.
class Sync : public Awaited {
 public:
  Sync(const Napi::Object& engine, std::shared_ptr<Plan> plan) : Awaited(engine), plan_(std::move(plan)) {}
  void execute() override { failure_ = std::move(plan_->failure); }

 private:
  const std::shared_ptr<Plan> plan_;
};

// The buffers of a run. `written` are those that it fills.
struct RunBuffers {
  std::vector<std::shared_ptr<Block>> read, written;
  std::vector<void*> addresses;  // of the plan's buffers, in its order
};

// A run of a plan. Fails without running if a buffer that it reads was not filled; and if it fails, neither are those
// that it should have filled.
class Run : public Task {
 public:
  // `cancel`: an array whose first element becomes other than 0 to end the run; or empty.
  Run(std::shared_ptr<Plan> plan, RunBuffers buffers, int32_t batch, int32_t version, const Napi::Int32Array& cancel);
  void execute() override;
  bool settles() const override { return cancel_ != nullptr; }

 protected:
  // The status of the C ABI.
  virtual int32_t run() = 0;

  const std::shared_ptr<Plan> plan_;
  const RunBuffers buffers_;
  const int32_t batch_, version_;
  const int32_t* const cancel_;

 private:
  Napi::Reference<Napi::Int32Array> cancelArray_;  // keeps it while the run looks at it
};

class OrdinaryRun : public Run {
 public:
  OrdinaryRun(std::shared_ptr<Plan> plan, RunBuffers buffers, int32_t batch, int32_t version,
              const Napi::Int32Array& cancel, int32_t total, int32_t repeat)
      : Run(std::move(plan), std::move(buffers), batch, version, cancel), total_(total), repeat_(repeat) {}

 private:
  int32_t run() override {
    return rdi_plan_run(plan_->plan, batch_, total_, repeat_, buffers_.addresses.data(), version_, cancel_);
  }

  const int32_t total_, repeat_;
};

class AdaptiveRun : public Run {
 public:
  struct Results {
    const float* thresholds;
    float *probabilities, *entropy;
    int32_t* exits;
  };

  AdaptiveRun(std::shared_ptr<Plan> plan, RunBuffers buffers, int32_t batch, int32_t version,
              const Napi::Int32Array& cancel, const Results& results)
      : Run(std::move(plan), std::move(buffers), batch, version, cancel), results_(results) {}

 private:
  int32_t run() override {
    return rdi_adaptive_run(plan_->plan, batch_, results_.thresholds, buffers_.addresses.data(), results_.probabilities,
                            results_.entropy, results_.exits, version_, cancel_);
  }

  const Results results_;
};

}  // namespace rdi::addon
