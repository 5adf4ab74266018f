#include "adaptive.cuh"
#include "adaptive_run.h"

namespace rdi::cuda {
namespace {

enum : size_t { Refresh, FirstTile };

}  // namespace

void AdaptiveRun::run(bool stale) {
  bind(0);
  if (stale) memory.sections.run(stream, Refresh, [&] { refresh(); });
  for (int32_t first = 0; first < batch && goesOn(); first += plan.tile) {
    memory.sections.run(stream, FirstTile + size_t(first / plan.tile),
                        [&] { runTile(first, batch - first < plan.tile ? batch - first : plan.tile); });
  }
}

void AdaptiveRun::runTile(int32_t first, int32_t images) {
  bind(first);
  for (size_t i = 0; i < plan.segments.size(); i++) {
    const Images inHand = {images, i > 0 ? memory.counts + i : nullptr};
    const Phase& phase = plan.phases[size_t(plan.segments[i].phase)];
    runNodes(phase.loads, inHand);
    runNodes(phase.body, inHand);
    runNodes(phase.stores, inHand);
    leave(i, inHand, first);
  }
}

void AdaptiveRun::leave(size_t index, const Images& images, int32_t first) {
  const Segment& segment = plan.segments[index];
  const bool last = index + 1 == plan.segments.size();
  const auto entropy = static_cast<const float*>(memory.values[size_t(segment.entropy)]);
  const int32_t* which = index > 0 ? imagesOf(index) : nullptr;
  if (!last) {
    stream.launch("compact", compactKernel, dim3(1), compactThreads,
                  CompactArguments{images, entropy, thresholds_ + index, which, first, memory.destinations,
                                   memory.sources, imagesOf(index + 1), memory.counts + index + 1},
                  compactThreads * sizeof(int32_t));
  }
  const NodeRun run = nodeRun(plan.nodes[0], images);  // for its launch()
  const auto classes = int32_t(plan.values[size_t(segment.probabilities)].elements);
  run.launch(reportKernel, int64_t(images.most) * classes,
             ReportArguments{images, classes, segment.exit, last ? nullptr : memory.destinations, which, first,
                             static_cast<const float*>(memory.values[size_t(segment.probabilities)]), entropy,
                             results_.probabilities, results_.entropy, results_.exits});
  const Images next = {images.most, memory.counts + index + 1};
  for (int32_t i = 0; i < segment.moveCount; i++) {
    const Move& move = segment.moves[i];
    const Extent extent = {next, int64_t(plan.values[size_t(move.destination)].elements)};
    run.launch(moveKernel, extent,
               MoveArguments{extent, memory.sources, static_cast<const float*>(memory.values[size_t(move.source)]),
                             static_cast<float*>(memory.values[size_t(move.destination)])});
  }
}

}  // namespace rdi::cuda
