// What ordinary and adaptive runs share: where values are, putting nodes into the stream, and what is kept between
// runs.
#pragma once

#include <initializer_list>

#include "plan_memory.h"

namespace rdi::cuda {

// What a run is given.
struct RunArguments {
  int32_t batch;
  int32_t total;  // those of the group's other engines included
  void* const* buffers;
  // Words that become other than 0 when the run is to end: the caller's, which may be null, and the engine's.
  const int32_t* cancel;
  const int32_t* stopped;
  Communicator* communicator;  // null: no sums over a group
};

class RunContext {
 public:
  bool cancelled() const {
    return __atomic_load_n(arguments_.stopped, __ATOMIC_RELAXED) != 0 ||
           (arguments_.cancel && __atomic_load_n(arguments_.cancel, __ATOMIC_RELAXED) != 0);
  }
  // Whether more work is to be put into the stream.
  bool goesOn() const { return stream.error() == cudaSuccess && !cancelled(); }

 protected:
  // `more`: what the run's work has the addresses of, besides the buffers.
  RunContext(Plan& plan, PlanMemory& memory, Stream& stream, const Device& device, const RunArguments& arguments,
             std::initializer_list<const void*> more = {});

  // Sets where the values are for the tile that starts at an image.
  void bind(int32_t firstImage);
  void runNodes(const NodeRange& range, const Images& images);
  // Makes the packed weights that belong before a phase, or with the parameters.
  void runPacks(int32_t phase);
  // Computes parameter phases and their packed weights.
  void refresh();

  NodeRun nodeRun(const Node& node, const Images& images);

  Plan& plan;
  PlanMemory& memory;
  Stream& stream;
  const int32_t batch;
  void* const* const buffers;

 private:
  const Device& device_;
  const RunArguments arguments_;
};

}  // namespace rdi::cuda
