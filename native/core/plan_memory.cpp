#include "plan_memory.h"

#include "kernel.h"

namespace rdi {
namespace {

constexpr uint64_t line(uint64_t floats) { return (floats + 15) / 16 * 16; }

// So that sizes in bytes, of some of these together, stay within size_t.
constexpr uint64_t maxFloats = SIZE_MAX / 32;

bool addressable(uint64_t items, Message& message) {
  if (items <= maxFloats) return true;
  message.clear() << "Out of memory: a plan that needs " << items << " words at once cannot be addressed";
  return false;
}

bool reserveFloats(Heap& heap, Array<float>& floats, uint64_t count, Message& message) {
  return addressable(count, message) && floats.reserve(heap, size_t(count), message);
}

bool alike(const Node& a, const Node& b) {
  return a.kernel == b.kernel && a.inputs[1] == b.inputs[1] && a.packedFloats == b.packedFloats &&
         sameBytes(a.state, b.state, sizeof(a.state));
}

// Finds which weights are packed, and when. Nodes that want the same weights in the same form share them.
class PackPlanner {
 public:
  PackPlanner(Heap& heap, Plan& plan, Message& message) : heap_(heap), plan_(plan), message_(message) {}

  bool plan() {
    size_t nodes = plan_.nodes.size();
    if (!plan_.packs.allocate(heap_, nodes, message_) || !writtenIn_.allocate(heap_, plan_.values.size(), message_) ||
        !packOf_.allocate(heap_, nodes, message_)) {
      return false;
    }
    for (size_t i = 0; i < plan_.phases.size(); i++) {
      const Phase& phase = plan_.phases[i];
      for (int32_t node = phase.loads.first; node < phase.stores.end(); node++) visit(int32_t(i), node);
    }
    if (!reserveFloats(heap_, plan_.packedMemory, floats_, message_)) return false;
    for (size_t i = 0; i < nodes; i++) {
      Node& node = plan_.nodes[i];
      if (node.packedFloats > 0) node.packed = plan_.packedMemory.data() + plan_.packs[size_t(packOf_[i])].offset;
    }
    return true;
  }

 private:
  void visit(int32_t phase, int32_t index) {
    const Node& node = plan_.nodes[size_t(index)];
    writtenIn_[size_t(node.outputs[0])] = phase;
    if (node.packedFloats == 0) return;
    int32_t before = madeWhileRunning(node.inputs[1]) ? phase : Pack::withParameters;
    size_t pack = 0;
    while (pack < plan_.packCount &&
           !(plan_.packs[pack].phase == before && alike(plan_.nodes[size_t(plan_.packs[pack].node)], node)))
      pack++;
    if (pack == plan_.packCount) {
      plan_.packs[plan_.packCount++] = {index, before, size_t(floats_)};
      floats_ += line(node.packedFloats);
    }
    packOf_[size_t(index)] = int32_t(pack);
  }

  bool madeWhileRunning(int32_t weight) const {
    return plan_.values[size_t(weight)].storage == Storage::Shared &&
           writtenIn_[size_t(weight)] >= plan_.parameterPhases;
  }

  Heap& heap_;
  Plan& plan_;
  Message& message_;
  Array<int32_t> writtenIn_;  // the phase that wrote each value
  Array<int32_t> packOf_;     // the pack of each node
  uint64_t floats_ = 0;
};

// Lists the external buffers that what is cached was computed from, and those that a run writes whole values to.
bool listBuffers(Heap& heap, Plan& plan, Message& message) {
  if (!plan.cachedFrom.allocate(heap, size_t(plan.externalCount), message) ||
      !plan.written.allocate(heap, size_t(plan.externalCount), message)) {
    return false;
  }
  auto mark = [&](Array<bool>& list, int32_t index) {
    const Value& value = plan.values[size_t(index)];
    if (value.storage == Storage::External && !value.perImage) list[size_t(value.index)] = true;
  };
  for (size_t p = 0; p < plan.phases.size(); p++) {
    const Phase& phase = plan.phases[p];
    for (int32_t i = phase.loads.first; i < phase.stores.end(); i++) {
      const Node& node = plan.nodes[size_t(i)];
      bool parameters = phase.kind == PhaseKind::Parameters;
      for (int32_t k = 0; k < node.inputCount; k++) {
        if (node.inputs[k] >= 0 && (parameters || (k == 1 && node.packedFloats > 0)))
          mark(plan.cachedFrom, node.inputs[k]);
      }
      if (!parameters) mark(plan.written, node.outputs[0]);
    }
  }
  return true;
}

// Every worker's arena, queues, scratch and accumulators.
bool allocateWorkers(Heap& heap, int32_t workers, Plan& plan, Message& message) {
  uint64_t scratch = 0, accumulators = 0;
  for (Node& node : plan.nodes) {
    if (node.scratchFloats > scratch) scratch = node.scratchFloats;
    node.accumulatorOffset = size_t(accumulators);
    accumulators += line(node.accumulatorFloats);
  }
  uint64_t arena = line(uint64_t(plan.arenaFloats)), queue = line(uint64_t(plan.queueFloats));
  uint64_t floats = arena + queue + line(scratch) + accumulators;
  size_t values = plan.values.size(), segments = plan.segments.size();
  // The length of a worker's queue for each segment, and which images are in it.
  uint64_t integers = segments * (1 + 2 * uint64_t(plan.tile));
  if (!reserveFloats(heap, plan.workerFloats, floats * uint64_t(workers), message) ||
      !addressable(integers * uint64_t(workers), message) ||
      !plan.workerIntegers.allocate(heap, size_t(integers * uint64_t(workers)), message) ||
      !plan.workerPointers.allocate(heap, values * size_t(workers), message) ||
      !plan.workers.allocate(heap, size_t(workers), message)) {
    return false;
  }
  plan.accumulatorFloats = size_t(accumulators);
  for (size_t w = 0; w < size_t(workers); w++) {
    float* memory = plan.workerFloats.data() + w * size_t(floats);
    int32_t* queues = plan.workerIntegers.data() + w * size_t(integers);
    plan.workers[w] = {
        .arena = memory,
        .queues = memory + arena,
        .scratch = memory + arena + queue,
        .accumulators = memory + arena + queue + line(scratch),
        .values = plan.workerPointers.data() + w * values,
        .queueLengths = queues,
        .queueImages = queues + segments,
    };
  }
  return true;
}

}  // namespace

bool allocatePlan(Heap& heap, int32_t workers, Plan& plan, Message& message) {
  return PackPlanner(heap, plan, message).plan() && listBuffers(heap, plan, message) &&
         reserveFloats(heap, plan.shared, uint64_t(plan.sharedFloats), message) &&
         allocateWorkers(heap, workers, plan, message);
}

}  // namespace rdi
