#include "core/run_checks.h"
#include "ordinary_run.h"

namespace rdi::cuda {
namespace {

// Numbers of sections: of tiles, or of phases between sums over the group.
enum : size_t { Refresh, First };
enum : size_t { Loads, Body, CarriedBody, Stores, PerTile };

// Keeps the host at most two repetitions ahead of the device, so that a cancelled run ends soon.
class Throttle {
 public:
  explicit Throttle(Stream& stream) : stream_(stream) {
    for (cudaEvent_t& event : events_) {
      stream.check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync), "an event");
    }
  }
  Throttle(const Throttle&) = delete;
  Throttle& operator=(const Throttle&) = delete;
  ~Throttle() {
    for (cudaEvent_t event : events_) {
      if (event) cudaEventDestroy(event);
    }
  }

  void step() {
    if (stream_.error() != cudaSuccess) return;
    cudaEvent_t event = events_[steps_ % 2];
    if (steps_ >= 2) stream_.check(cudaEventSynchronize(event), "waiting for a repetition");
    stream_.check(cudaEventRecord(event, stream_.handle()), "waiting for a repetition");
    steps_++;
  }

 private:
  Stream& stream_;
  cudaEvent_t events_[2] = {};
  int64_t steps_ = 0;
};

}  // namespace

int32_t OrdinaryRun::run(bool stale) {
  bind(0);
  if (stale) memory.sections.run(stream, Refresh, [&] { refresh(); });
  if (plan.repeatsInside) {
    repeatTiles();
  } else {
    repeatPhases();
  }
  return status_;
}

// The only phase is tiled, without reductions.
void OrdinaryRun::repeatTiles() {
  const int32_t index = plan.parameterPhases;
  const Phase& phase = plan.phases[size_t(index)];
  Throttle throttle(stream);
  for (int32_t first = 0; first < batch && goesOn(); first += plan.tile) {
    const Images images = {batch - first < plan.tile ? batch - first : plan.tile, nullptr};
    const size_t section = First + size_t(first / plan.tile) * PerTile;
    bind(first);
    memory.sections.run(stream, section + Loads, [&] {
      runPacks(index);
      runNodes(phase.loads, images);
    });
    for (int32_t r = 0; r < repeat_ && goesOn(); r++) {
      memory.sections.run(stream, section + (r > 0 ? CarriedBody : Body), [&] {
        if (r > 0) carry(images.most);
        runNodes(phase.body, images);
      });
      throttle.step();
    }
    memory.sections.run(stream, section + Stores, [&] { runNodes(phase.stores, images); });
  }
}

void OrdinaryRun::repeatPhases() {
  const bool staleRepetitions = repeat_ > 1 && overwritesCached(plan, buffers);
  Throttle throttle(stream);
  const auto end = int32_t(plan.phases.size());
  for (int32_t r = 0; r < repeat_ && goesOn() && status_ == RDI_OK; r++) {
    if (r > 0 && staleRepetitions) memory.sections.run(stream, Refresh, [&] { refresh(); });
    size_t section = First;
    for (int32_t i = plan.parameterPhases; i < end && status_ == RDI_OK;) {
      // Sums over the group are kept out of graphs, which all members would have to capture together: a member whose
      // batch has changed captures later.
      if (waits(plan.phases[size_t(i)])) {
        runPhase(i++);
        continue;
      }
      const int32_t first = i;
      while (i < end && !waits(plan.phases[size_t(i)])) i++;
      memory.sections.run(stream, section++, [&] {
        for (int32_t k = first; k < i; k++) runPhase(k);
      });
    }
    // The throttle would wait for other members without an end.
    if (!member_) throttle.step();
  }
}

void OrdinaryRun::runPhase(int32_t index) {
  const Phase& phase = plan.phases[size_t(index)];
  bind(0);
  if (phase.kind == PhaseKind::Whole) {
    return waits(phase) ? runCollective(phase.body) : runNodes(phase.body, {1, nullptr});
  }
  runPacks(index);
  if (phase.reduces) {
    for (int32_t i = phase.body.first; i < phase.body.end(); i++) {
      const Node& node = plan.nodes[size_t(i)];
      stream.zero(memory.accumulators + node.accumulatorOffset, node.accumulatorFloats * sizeof(float));
    }
  }
  for (int32_t first = 0; first < batch; first += plan.tile) {
    const Images images = {batch - first < plan.tile ? batch - first : plan.tile, nullptr};
    bind(first);
    runNodes(phase.loads, images);
    runNodes(phase.body, images);
    runNodes(phase.stores, images);
  }
  if (phase.reduces) finishReductions(phase);
}

// Sums that follow each other are started together: NCCL makes one launch of them.
void OrdinaryRun::runCollective(const NodeRange& range) {
  // Who has failed ends the group when the run is finished, and does not come here.
  if (stream.error() != cudaSuccess) return;
  status_ = member_->meet(RDI_OK);
  if (status_ != RDI_OK) return;
  Communicator* const communicator = &member_->communicator();
  bool together = false;
  for (int32_t i = range.first; i < range.end(); i++) {
    const bool sum = plan.nodes[size_t(i)].op->collective;
    if (sum && !together) communicator->begin(stream);
    if (!sum && together) communicator->end(stream);
    together = sum;
    runNodes({i, 1}, {1, nullptr});
  }
  if (together) communicator->end(stream);
}

void OrdinaryRun::carry(int32_t images) {
  for (const Carry& carry : plan.carries) {
    stream.copy(memory.values[size_t(carry.input)], memory.values[size_t(carry.output)],
                size_t(images) * plan.values[size_t(carry.input)].bytes());
  }
}

void OrdinaryRun::finishReductions(const Phase& phase) {
  for (int32_t i = phase.body.first; i < phase.body.end(); i++) {
    const Node& node = plan.nodes[size_t(i)];
    if (node.op->reduces) node.kernel->finish(nodeRun(node, {1, nullptr}));
  }
}

}  // namespace rdi::cuda
