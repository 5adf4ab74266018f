// What an engine holds for JavaScript. Everything is shared with the tasks that use it, so that what JavaScript gives
// back while work waits for it lives until that work is done.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/rdi.h"

namespace rdi::addon {

// Why a task failed.
struct Failure {
  int32_t status;  // an rdi_status
  std::string message;
};

std::shared_ptr<const Failure> makeFailure(int32_t status, const char* message);

// An engine of the C ABI, and the lock for all of its functions but the runs.
class Core {
 public:
  explicit Core(rdi_engine* engine) : engine(engine) {}
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core() { rdi_engine_destroy(engine); }

  rdi_engine* const engine;
  std::mutex lock;
};

// A buffer, somewhere in the engine's memory.
class Block {
 public:
  Block(std::shared_ptr<Core> core, void* data, size_t bytes) : data(data), bytes(bytes), core_(std::move(core)) {}
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  ~Block() {
    std::lock_guard guard(core_->lock);
    rdi_free(core_->engine, data);
  }

  // Copy as many bytes from and to its start; null if that went well.
  std::shared_ptr<const Failure> write(const void* from, size_t count);
  std::shared_ptr<const Failure> read(void* to, size_t count) const;

  void* const data;
  const size_t bytes;
  // For the queue's thread alone: what went wrong with the run or the write that should have filled it. Whoever reads
  // it fails likewise, until it is filled anew.
  std::shared_ptr<const Failure> failure;

 private:
  const std::shared_ptr<Core> core_;
};

// What a run does with a buffer: reads it, fills it without having read it, or both.
enum class BufferUse : uint8_t { Read, Fill, Update };

class Plan {
 public:
  Plan(std::shared_ptr<Core> core, rdi_plan* plan, std::vector<BufferUse> uses)
      : plan(plan), bytes(rdi_plan_bytes(plan)), uses(std::move(uses)), core_(std::move(core)) {}
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    std::lock_guard guard(core_->lock);
    rdi_plan_destroy(plan);
  }

  rdi_plan* const plan;
  const size_t bytes;
  // Of each external buffer.
  const std::vector<BufferUse> uses;
  // For the queue's thread alone: what went wrong since JavaScript last asked.
  std::shared_ptr<const Failure> failure;

 private:
  const std::shared_ptr<Core> core_;
};

}  // namespace rdi::addon
