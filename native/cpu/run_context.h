// What ordinary and adaptive runs share: where values are, running nodes, and what is cached between runs.
#pragma once

#include "kernel.h"
#include "team.h"
#include "thread_pool.h"

namespace rdi {

// What a run is given.
struct RunArguments {
  int32_t batch;
  void* const* buffers;
  // Words that become other than 0 when the run is to end: the caller's, which may be null, and the engine's.
  const int32_t* cancel;
  const int32_t* stopped;
};

class RunContext {
 public:
  const RunStatus& status() const { return status_; }
  bool cancelled() const {
    return __atomic_load_n(stopped_, __ATOMIC_RELAXED) != 0 ||
           (cancel_ && __atomic_load_n(cancel_, __ATOMIC_RELAXED) != 0);
  }

 protected:
  RunContext(Plan& plan, ThreadPool& pool, const RunArguments& arguments);

  WorkerMemory& memory(int32_t worker) { return plan.workers[size_t(worker)]; }
  // Sets where the values are for the tile that starts at an image (external and shared values) or at a place in the
  // worker's queues.
  void bind(WorkerMemory& memory, int32_t firstImage, int32_t firstQueued);
  NodeRun nodeRun(const WorkerMemory& memory, const Node& node, int32_t images);
  void runNodes(WorkerMemory& memory, const NodeRange& range, int32_t images);

  // Whether all workers compute the same tile, since there are too few images for all to have one of their own: worker
  // 0 leads, with the values in its memory, and the others follow it.
  bool together() const { return pool.workers() >= 2 * batch; }
  // Images of such a tile.
  int32_t togetherTile() const { return batch < plan.tile ? batch : plan.tile; }
  // runNodes() of worker 0, with the help of those that follow.
  void leadNodes(const NodeRange& range, int32_t images);

  // Runs a parameter or whole phase. The caller puts a barrier behind it.
  void runWhole(int32_t worker, const Phase& phase);
  // Makes the packed weights that belong before a phase (or with the parameters), and waits for all.
  void runPacks(int32_t worker, int32_t phase);
  // Computes parameter phases and their packed weights, and waits for all.
  void refresh(int32_t worker);

  Plan& plan;
  ThreadPool& pool;
  Team team;
  const int32_t batch;
  void* const* const buffers;
  // Images that a worker takes at a time: at most plan.tile, and such that the workers have equal shares.
  const int32_t tile;

 private:
  const int32_t* const cancel_;
  const int32_t* const stopped_;
  RunStatus status_;
};

}  // namespace rdi
