#include "adaptive_run.h"

namespace rdi {

void AdaptiveRun::run(bool stale) {
  stale_ = stale;
  pool.run([](void* self, int32_t worker) { static_cast<AdaptiveRun*>(self)->work(worker); }, this);
}

void AdaptiveRun::work(int32_t worker) {
  WorkerMemory& own = memory(worker);
  bind(own, 0, 0);
  if (stale_) refresh(worker);
  for (int32_t i = 0; i < segments(); i++) own.queueLengths[i] = 0;
  const auto alone = [&](const NodeRange& range, int32_t images) { runNodes(own, range, images); };
  if (together()) {
    if (worker > 0) return team.follow(worker, 0);
    int32_t next = 0;
    runSteps(
        own, togetherTile(), [&](int32_t most) { return (next += most) - most; },
        [&](const NodeRange& range, int32_t images) { leadNodes(range, images); });
    return team.end(0);
  }
  runSteps(
      own, tile, [&](int32_t most) { return pool.takeTask() * most; }, alone);
}

template <class TakeImages, class RunNodes>
void AdaptiveRun::runSteps(WorkerMemory& memory, int32_t most, TakeImages take, RunNodes run) {
  int32_t first = take(most);
  while (!cancelled()) {
    const Step step = nextStep(memory, first, batch - first < most ? batch - first : most);
    if (step.images == 0) return;
    bindStep(memory, step);
    const Phase& phase = plan.phases[size_t(plan.segments[size_t(step.segment)].phase)];
    run(phase.loads, step.images);
    run(phase.body, step.images);
    run(phase.stores, step.images);
    finishStep(memory, step);
    if (step.segment == 0) first = take(most);
  }
}

// A queue that is not full has room for all that a segment may add, a tile at most: full queues go first, the deepest
// before the others. At the end, from the shallowest on, survivors join those who wait already, so that the last tiles
// are as full as they can be.
AdaptiveRun::Step AdaptiveRun::nextStep(WorkerMemory& memory, int32_t first, int32_t images) {
  int32_t segment = deepestFull(memory);
  if (segment == 0 && images > 0) return {0, first, images};
  if (segment == 0) segment = shallowestFilled(memory);
  if (segment == 0) return {};
  // Those at the queue's end, so that the others stay where they are.
  int32_t& length = memory.queueLengths[segment];
  const int32_t taken = length < plan.tile ? length : plan.tile;
  length -= taken;
  return {segment, length, taken};
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

void AdaptiveRun::bindStep(WorkerMemory& memory, const Step& step) {
  const bool fresh = step.segment == 0;
  bind(memory, fresh ? step.first : 0, fresh ? 0 : step.first);
}

void AdaptiveRun::finishStep(WorkerMemory& memory, const Step& step) {
  const int32_t* queued = queueImages(memory, step.segment) + step.first;
  for (int32_t row = 0; row < step.images; row++) {
    const int32_t image = step.segment == 0 ? step.first + row : queued[row];
    if (leaves(memory, step.segment, row)) {
      report(memory, step.segment, row, image);
    } else {
      enqueue(memory, step.segment, row, image);
    }
  }
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
