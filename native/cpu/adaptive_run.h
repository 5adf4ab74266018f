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
  // Images that a segment is to be run for: of the batch for segment 0, else of a queue's places. None: all is done.
  struct Step {
    int32_t segment, first, images;
  };

  void work(int32_t worker);
  // take(most): the first of up to so many images of the batch; run(range, images) runs nodes.
  template <class TakeImages, class RunNodes>
  void runSteps(WorkerMemory& memory, int32_t most, TakeImages take, RunNodes run);
  // What a worker does next, given the first image that it may take and how many.
  Step nextStep(WorkerMemory& memory, int32_t first, int32_t images);
  int32_t deepestFull(const WorkerMemory& memory) const;
  int32_t shallowestFilled(const WorkerMemory& memory) const;
  void bindStep(WorkerMemory& memory, const Step& step);
  // Lets the images of a step leave, or queues them for the next segment.
  void finishStep(WorkerMemory& memory, const Step& step);
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
