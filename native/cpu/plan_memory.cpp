#include "plan_memory.h"

#include "core/plan_packs.h"

namespace rdi {
namespace {

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

// Every worker's arena, queues, scratch and accumulators.
bool allocateWorkers(Heap& heap, int32_t workers, Plan& plan, Message& message) {
  uint64_t scratch = 0, accumulators = 0;
  for (Node& node : plan.nodes) {
    if (node.scratchFloats > scratch) scratch = node.scratchFloats;
    node.accumulatorOffset = size_t(accumulators);
    accumulators += wholeLines(node.accumulatorFloats);
  }
  uint64_t arena = wholeLines(uint64_t(plan.arenaFloats)), queue = wholeLines(uint64_t(plan.queueFloats));
  uint64_t floats = arena + queue + wholeLines(scratch) + accumulators;
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
        .accumulators = memory + arena + queue + wholeLines(scratch),
        .values = plan.workerPointers.data() + w * values,
        .queueLengths = queues,
        .queueImages = queues + segments,
    };
  }
  return true;
}

}  // namespace

bool allocatePlan(Heap& heap, int32_t workers, Plan& plan, Message& message) {
  if (!planPacks(heap, plan, message) || !reserveFloats(heap, plan.packedMemory, plan.packFloats, message))
    return false;
  for (Node& node : plan.nodes) {
    if (node.packedFloats > 0) node.packed = plan.packedMemory.data() + plan.packs[size_t(node.pack)].offset;
  }
  return reserveFloats(heap, plan.shared, uint64_t(plan.sharedFloats), message) &&
         allocateWorkers(heap, workers, plan, message);
}

}  // namespace rdi
