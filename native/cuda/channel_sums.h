// Starts the sums over rows of channels.
#pragma once

#include "kernel.h"
#include "reduce.cuh"

namespace rdi::cuda {

constexpr int32_t mostParts = 512;

// Scratch of accumulateChannels().
template <class State>
size_t channelScratchFloats(int32_t channels) {
  return size_t(mostParts) * State::numbers * size_t(channels);
}

// Adds the rows of the images to the node's accumulator [numbers][channels]. `x`: a value with channels first.
template <class State>
void accumulateChannels(const NodeRun& run, const Value& x, ChannelArguments a) {
  a.channels = x.dims[0];
  a.rows = int64_t(run.images.most) * int64_t(x.elements) / a.channels;
  constexpr int64_t fewest = 64;
  a.partRows = (a.rows + mostParts - 1) / mostParts;
  if (a.partRows < fewest) a.partRows = fewest;
  a.parts = int32_t((a.rows + a.partRows - 1) / a.partRows);
  a.partial = run.scratch;
  a.accumulator = run.accumulator;
  const size_t shared = sizeof(float) * State::numbers * reduceThreads;
  const char* name = run.node.op->name;
  const auto blocks = [&](int lanes) { return dim3(unsigned(a.parts), unsigned((a.channels + lanes - 1) / lanes)); };
  if (a.channels <= 16) {
    run.stream.launch(name, channelPartial<State, 16>, blocks(16), reduceThreads, a, shared);
  } else {
    run.stream.launch(name, channelPartial<State, 32>, blocks(32), reduceThreads, a, shared);
  }
  run.launch(channelFold<State>, a.channels, a);
}

}  // namespace rdi::cuda
