#include "plan_memory.h"

namespace rdi::cuda {
namespace {

// Parts of one block, one behind the other.
class Layout {
 public:
  size_t take(uint64_t words) {
    constexpr uint64_t step = 64;
    const auto at = size_t(words_);
    words_ += (words + step - 1) / step * step;
    return at;
  }
  size_t bytes() const { return size_t(words_) * 4; }

 private:
  uint64_t words_ = 0;
};

}  // namespace

bool allocatePlan(DeviceMemory& device, Plan& plan, PlanMemory& memory, Message& message) {
  const auto tile = uint64_t(plan.tile), segments = uint64_t(plan.segments.size());
  Layout layout;
  uint64_t scratchFloats = 0;
  const size_t accumulators = layout.take(0);
  for (Node& node : plan.nodes) {
    scratchFloats = node.scratchFloats > scratchFloats ? node.scratchFloats : scratchFloats;
    node.accumulatorOffset = layout.take(node.accumulatorFloats);
  }
  const size_t arena = layout.take(uint64_t(plan.arenaFloats)), queues = layout.take(uint64_t(plan.queueFloats)),
               scratch = layout.take(scratchFloats), shared = layout.take(uint64_t(plan.sharedFloats)),
               packed = layout.take(plan.packFloats), fault = layout.take(sizeof(Fault) / 4),
               counts = layout.take(segments), images = layout.take(segments * tile),
               destinations = layout.take(plan.adaptive() ? tile : 0),
               sources = layout.take(plan.adaptive() ? tile : 0);
  memory.all = device.allocate(layout.bytes(), message);
  if (!memory.all) return false;
  const auto base = static_cast<float*>(memory.all);
  const auto integers = static_cast<int32_t*>(memory.all);
  memory.bytes = layout.bytes();
  memory.accumulators = base + accumulators;
  memory.arena = base + arena;
  memory.queues = base + queues;
  memory.scratch = base + scratch;
  memory.shared = base + shared;
  memory.fault = reinterpret_cast<Fault*>(integers + fault);
  memory.counts = integers + counts;
  memory.images = integers + images;
  memory.destinations = integers + destinations;
  memory.sources = integers + sources;
  memory.values.resize(plan.values.size());
  for (Node& node : plan.nodes) {
    if (node.packedFloats > 0) node.packed = base + packed + plan.packs[size_t(node.pack)].offset;
  }
  return true;
}

}  // namespace rdi::cuda
