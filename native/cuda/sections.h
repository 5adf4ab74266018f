// Work that is done again and again, captured as CUDA graphs: what takes the host a launch a kernel then takes one
// launch.
#pragma once

#include <vector>

#include "launch.h"

namespace rdi::cuda {

class Sections {
 public:
  Sections() = default;
  Sections(const Sections&) = delete;
  Sections& operator=(const Sections&) = delete;
  ~Sections() { clear(); }

  // What follows is for this batch and these buffers: graphs hold addresses.
  void choose(int32_t batch, std::vector<const void*> buffers);
  // Puts work into the stream. It has to be the same whenever it has the same number, batch and buffers. It is captured
  // when it comes for the second time: much is done once only.
  template <class Work>
  void run(Stream& stream, size_t number, Work work) {
    Section& section = sectionOf(number);
    if (!section.graph && section.seen) {
      if (!begin(stream)) return;
      work();
      section.graph = end(stream);
    }
    section.seen = true;
    if (section.graph) {
      launchGraph(stream, section.graph);
    } else {
      work();
    }
  }
  void clear();

 private:
  struct Section {
    cudaGraphExec_t graph = nullptr;
    bool seen = false;
  };
  struct Recording {
    int32_t batch;
    std::vector<const void*> buffers;
    std::vector<Section> sections;
    uint64_t used;  // when it was last chosen
  };

  Section& sectionOf(size_t number);
  static bool begin(Stream& stream);
  static cudaGraphExec_t end(Stream& stream);
  static void launchGraph(Stream& stream, cudaGraphExec_t graph);
  static void destroy(Recording& recording);

  // The last, smaller batch of a data set has its own, and so have the buffers of calls in turn.
  static constexpr size_t most = 8;
  std::vector<Recording> recordings_;
  size_t chosen_ = 0;
  uint64_t now_ = 0;
};

}  // namespace rdi::cuda
