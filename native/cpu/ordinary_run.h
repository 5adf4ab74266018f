// rdi_plan_run: phases in order, repeated inside the tile or from outside.
#pragma once

#include "run_context.h"

namespace rdi {

class OrdinaryRun : public RunContext {
 public:
  OrdinaryRun(Plan& plan, ThreadPool& pool, const RunArguments& arguments, int32_t repeat)
      : RunContext(plan, pool, arguments), repeat_(repeat) {}

  // `stale`: what is cached from the parameters must be computed anew.
  void run(bool stale);

 private:
  void work(int32_t worker);
  // `turn`: a number that grows from phase to phase.
  void runTiled(int32_t worker, int32_t phaseIndex, int32_t repeat, int32_t turn);
  // Of the phase's reductions.
  void clearAccumulators(WorkerMemory& memory, const Phase& phase);
  // run(range, images) runs nodes.
  template <class RunNodes>
  void runTile(WorkerMemory& memory, const Phase& phase, int32_t first, int32_t images, int32_t repeat, RunNodes run);
  void carry(WorkerMemory& memory, int32_t images);
  void finishReductions(int32_t worker, const Phase& phase);
  int32_t rangeStart(int32_t worker) const { return int32_t(int64_t(batch) * worker / pool.workers()); }

  const int32_t repeat_;
  bool stale_ = false;             // before the first repetition
  bool staleRepetitions_ = false;  // before the others
  // Whether a repetition from outside is the last, though not all are done. Workers may learn of a cancelled run at
  // different times, so worker 0 decides for all, before the barrier at the repetition's end; in turns, since others
  // may not yet have read about this repetition when it decides about the next.
  bool ended_[2] = {};
};

}  // namespace rdi
