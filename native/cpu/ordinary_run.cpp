#include "ordinary_run.h"

#include "core/run_checks.h"

namespace rdi {

void OrdinaryRun::run(bool stale) {
  stale_ = stale;
  staleRepetitions_ = repeat_ > 1 && !plan.repeatsInside && overwritesCached(plan, buffers);
  pool.run([](void* self, int32_t worker) { static_cast<OrdinaryRun*>(self)->work(worker); }, this);
}

void OrdinaryRun::work(int32_t worker) {
  bind(memory(worker), 0, 0);
  if (stale_) refresh(worker);
  int32_t outside = plan.repeatsInside ? 1 : repeat_, inside = plan.repeatsInside ? repeat_ : 1;
  for (int32_t r = 0; r < outside; r++) {
    if (r > 0 && staleRepetitions_) refresh(worker);
    for (int32_t i = plan.parameterPhases; i < int32_t(plan.phases.size()); i++) {
      if (plan.phases[size_t(i)].kind == PhaseKind::Tiled) {
        runTiled(worker, i, inside, r * int32_t(plan.phases.size()) + i);
      } else {
        runWhole(worker, plan.phases[size_t(i)]);
      }
      if (worker == 0) ended_[r % 2] = cancelled();
      pool.barrier();
    }
    if (ended_[r % 2]) return;
  }
}

// A cancelled run skips tiles, but no barrier.
void OrdinaryRun::runTiled(int32_t worker, int32_t phaseIndex, int32_t repeat, int32_t turn) {
  const Phase& phase = plan.phases[size_t(phaseIndex)];
  WorkerMemory& own = memory(worker);
  runPacks(worker, phaseIndex);
  const auto alone = [&](const NodeRange& range, int32_t images) { runNodes(own, range, images); };
  if (!phase.reduces && together()) {
    if (worker > 0) return team.follow(worker, turn);
    const int32_t most = togetherTile();
    for (int32_t first = 0; first < batch && !cancelled(); first += most) {
      runTile(own, phase, first, batch - first < most ? batch - first : most, repeat,
              [&](const NodeRange& range, int32_t images) { leadNodes(range, images); });
    }
    return team.end(turn);
  }
  if (!phase.reduces) {
    for (int32_t first = pool.takeTask() * tile; first < batch && !cancelled(); first = pool.takeTask() * tile) {
      runTile(own, phase, first, batch - first < tile ? batch - first : tile, repeat, alone);
    }
    return;
  }
  // A fixed share, so that sums have the same order in every run with as many workers.
  clearAccumulators(own, phase);
  int32_t end = rangeStart(worker + 1);
  for (int32_t first = rangeStart(worker); first < end && !cancelled(); first += tile) {
    runTile(own, phase, first, end - first < tile ? end - first : tile, 1, alone);
  }
  pool.barrier();
  finishReductions(worker, phase);
}

void OrdinaryRun::clearAccumulators(WorkerMemory& memory, const Phase& phase) {
  for (int32_t i = phase.body.first; i < phase.body.end(); i++) {
    const Node& node = plan.nodes[size_t(i)];
    if (!node.kernel->reduces()) continue;
    zeroBytes(memory.accumulators + node.accumulatorOffset, node.accumulatorFloats * sizeof(float));
  }
}

template <class RunNodes>
void OrdinaryRun::runTile(WorkerMemory& memory, const Phase& phase, int32_t first, int32_t images, int32_t repeat,
                          RunNodes run) {
  bind(memory, first, 0);
  run(phase.loads, images);
  for (int32_t r = 0; r < repeat && !cancelled(); r++) {
    if (r > 0) carry(memory, images);
    run(phase.body, images);
  }
  run(phase.stores, images);
}

void OrdinaryRun::carry(WorkerMemory& memory, int32_t images) {
  for (const Carry& carry : plan.carries) {
    copyBytes(memory.values[carry.input], memory.values[carry.output],
              size_t(images) * plan.values[size_t(carry.input)].bytes());
  }
}

// Makes each reduction's output from the accumulators of the workers that had images, in their order.
void OrdinaryRun::finishReductions(int32_t worker, const Phase& phase) {
  const float* accumulators[ThreadPool::maxWorkers];
  for (int32_t i = phase.body.first + pool.takeTask(); i < phase.body.end(); i = phase.body.first + pool.takeTask()) {
    const Node& node = plan.nodes[size_t(i)];
    if (!node.kernel->reduces()) continue;
    int32_t count = 0;
    for (int32_t w = 0; w < pool.workers(); w++) {
      if (rangeStart(w) < rangeStart(w + 1)) accumulators[count++] = memory(w).accumulators + node.accumulatorOffset;
    }
    node.kernel->finish(nodeRun(memory(worker), node, 0), accumulators, count);
  }
}

}  // namespace rdi
