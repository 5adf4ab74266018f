#include <utility>

#include "sections.h"

namespace rdi::cuda {

void Sections::destroy(Recording& recording) {
  for (Section& section : recording.sections) {
    if (section.graph) cudaGraphExecDestroy(section.graph);
  }
  recording.sections.clear();
}

void Sections::clear() {
  for (Recording& recording : recordings_) destroy(recording);
  recordings_.clear();
}

void Sections::choose(int32_t batch, std::vector<const void*> buffers) {
  now_++;
  size_t oldest = 0;
  for (size_t i = 0; i < recordings_.size(); i++) {
    if (recordings_[i].batch == batch && recordings_[i].buffers == buffers) {
      recordings_[i].used = now_;
      chosen_ = i;
      return;
    }
    if (recordings_[i].used < recordings_[oldest].used) oldest = i;
  }
  if (recordings_.size() < most) {
    oldest = recordings_.size();
    recordings_.emplace_back();
  }
  destroy(recordings_[oldest]);
  recordings_[oldest] = {batch, std::move(buffers), {}, now_};
  chosen_ = oldest;
}

Sections::Section& Sections::sectionOf(size_t number) {
  auto& sections = recordings_[chosen_].sections;
  if (number >= sections.size()) sections.resize(number + 1);
  return sections[number];
}

bool Sections::begin(Stream& stream) {
  return stream.error() == cudaSuccess &&
         stream.check(cudaStreamBeginCapture(stream.handle(), cudaStreamCaptureModeThreadLocal), "capturing a graph");
}

cudaGraphExec_t Sections::end(Stream& stream) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  // Whatever has happened, the capture must end.
  stream.check(cudaStreamEndCapture(stream.handle(), &graph), "capturing a graph");
  if (stream.error() == cudaSuccess) stream.check(cudaGraphInstantiate(&executable, graph, 0), "making a graph");
  if (graph) cudaGraphDestroy(graph);
  return stream.error() == cudaSuccess ? executable : nullptr;
}

void Sections::launchGraph(Stream& stream, cudaGraphExec_t graph) {
  if (stream.error() == cudaSuccess) stream.check(cudaGraphLaunch(graph, stream.handle()), "starting a graph");
}

}  // namespace rdi::cuda
