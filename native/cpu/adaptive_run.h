// rdi_adaptive_run: images leave at the first exit that is sure of them, and those that stay are gathered into full
// tiles again.
#pragma once

#include "run_context.h"

namespace rdi {

struct AdaptiveResults {
  float* probabilities;  // [batch, classes]
  float* entropy;        // [batch]
  int32_t* exits;        // [batch]
};

class AdaptiveRun : public RunContext {
 public:
  // `thresholds`: one for every segment but the last.
  AdaptiveRun(Plan& plan, ThreadPool& pool, const RunArguments& arguments, const float* thresholds,
              const AdaptiveResults& results)
      : RunContext(plan, pool, arguments), thresholds_(thresholds), results_(results) {}

  // `stale`: what is cached from the parameters must be computed anew.
  void run(bool stale);

 private:
  void work(int32_t worker);
  int32_t deepestFull(const WorkerMemory& memory) const;
  int32_t shallowestFilled(const WorkerMemory& memory) const;
  void runFresh(WorkerMemory& memory, int32_t first, int32_t images);
  void runQueued(WorkerMemory& memory, int32_t segment, int32_t images);
  void runSegment(WorkerMemory& memory, int32_t segment, int32_t images);
  bool leaves(const WorkerMemory& memory, int32_t segment, int32_t row) const;
  void report(const WorkerMemory& memory, int32_t segment, int32_t row, int32_t image);
  void enqueue(WorkerMemory& memory, int32_t segment, int32_t row, int32_t image);

  int32_t segments() const { return int32_t(plan.segments.size()); }
  int32_t* queueImages(const WorkerMemory& memory, int32_t segment) const {
    return memory.queueImages + size_t(segment) * 2 * size_t(plan.tile);
  }

  const float* thresholds_;
  const AdaptiveResults results_;
  bool stale_ = false;
};

}  // namespace rdi
