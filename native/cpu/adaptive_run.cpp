#include "adaptive_run.h"

namespace rdi {

void AdaptiveRun::run(bool stale) {
  stale_ = stale;
  pool.run([](void* self, int32_t worker) { static_cast<AdaptiveRun*>(self)->work(worker); }, this);
}

// A queue that is not full has room for all that a segment may add, a tile at most: full queues go first, the deepest
// before the others.
void AdaptiveRun::work(int32_t worker) {
  WorkerMemory& own = memory(worker);
  bind(own, 0, 0);
  if (stale_) refresh(worker);
  for (int32_t i = 0; i < segments(); i++) own.queueLengths[i] = 0;
  for (bool fresh = true; !cancelled();) {
    if (int32_t full = deepestFull(own)) {
      runQueued(own, full, plan.tile);
    } else if (fresh) {
      int32_t first = pool.takeTask() * tile;
      fresh = first < batch;
      if (fresh) runFresh(own, first, batch - first < tile ? batch - first : tile);
    } else if (int32_t filled = shallowestFilled(own)) {
      // From the shallowest on, survivors join those who wait already, so that the last tiles are as full as they can
      // be.
      runQueued(own, filled, own.queueLengths[filled]);
    } else {
      return;
    }
  }
}

// 0 if no queue is full.
int32_t AdaptiveRun::deepestFull(const WorkerMemory& memory) const {
  int32_t segment = segments() - 1;
  while (segment > 0 && memory.queueLengths[segment] < plan.tile) segment--;
  return segment;
}

// 0 if all queues are empty.
int32_t AdaptiveRun::shallowestFilled(const WorkerMemory& memory) const {
  for (int32_t segment = 1; segment < segments(); segment++) {
    if (memory.queueLengths[segment] > 0) return segment;
  }
  return 0;
}

void AdaptiveRun::runFresh(WorkerMemory& memory, int32_t first, int32_t images) {
  bind(memory, first, 0);
  runSegment(memory, 0, images);
  for (int32_t row = 0; row < images; row++) {
    if (leaves(memory, 0, row)) {
      report(memory, 0, row, first + row);
    } else {
      enqueue(memory, 0, row, first + row);
    }
  }
}

// Takes the images at the queue's end, so that the others stay where they are.
void AdaptiveRun::runQueued(WorkerMemory& memory, int32_t segment, int32_t images) {
  int32_t first = memory.queueLengths[segment] -= images;
  bind(memory, 0, first);
  runSegment(memory, segment, images);
  const int32_t* which = queueImages(memory, segment) + first;
  for (int32_t row = 0; row < images; row++) {
    if (leaves(memory, segment, row)) {
      report(memory, segment, row, which[row]);
    } else {
      enqueue(memory, segment, row, which[row]);
    }
  }
}

void AdaptiveRun::runSegment(WorkerMemory& memory, int32_t segment, int32_t images) {
  const Phase& phase = plan.phases[size_t(plan.segments[size_t(segment)].phase)];
  runNodes(memory, phase.loads, images);
  runNodes(memory, phase.body, images);
  runNodes(memory, phase.stores, images);
}

bool AdaptiveRun::leaves(const WorkerMemory& memory, int32_t segment, int32_t row) const {
  auto entropy = static_cast<const float*>(memory.values[plan.segments[size_t(segment)].entropy]);
  return segment == segments() - 1 || entropy[row] < thresholds_[segment];
}

void AdaptiveRun::report(const WorkerMemory& memory, int32_t segment, int32_t row, int32_t image) {
  const Segment& from = plan.segments[size_t(segment)];
  size_t classes = plan.values[size_t(from.probabilities)].elements;
  auto probabilities = static_cast<const float*>(memory.values[from.probabilities]);
  copyBytes(results_.probabilities + size_t(image) * classes, probabilities + size_t(row) * classes,
            classes * sizeof(float));
  results_.entropy[image] = static_cast<const float*>(memory.values[from.entropy])[row];
  results_.exits[image] = from.exit;
}

void AdaptiveRun::enqueue(WorkerMemory& memory, int32_t segment, int32_t row, int32_t image) {
  const Segment& from = plan.segments[size_t(segment)];
  size_t place = size_t(memory.queueLengths[segment + 1]++);
  queueImages(memory, segment + 1)[place] = image;
  for (int32_t i = 0; i < from.moveCount; i++) {
    const Value& to = plan.values[size_t(from.moves[i].destination)];
    auto source = static_cast<const float*>(memory.values[from.moves[i].source]);
    copyBytes(memory.queues + to.offset + place * to.elements, source + size_t(row) * to.elements, to.bytes());
  }
}

}  // namespace rdi
