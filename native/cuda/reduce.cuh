// Sums over rows of channels (pixels of NHWC images, or images of a matrix), and over whole images. Their order depends
// on nothing but the sizes.
#pragma once

#include "extent.cuh"

namespace rdi::cuda {

constexpr int reduceThreads = 256;

// What is gathered of a channel: `State` with the numbers to keep, how a row is added to it, and how two are merged.
struct ChannelArguments {
  int64_t rows, partRows;
  int32_t channels, parts;
  const float* x;
  const float* dy;       // of gradient sums
  const float* moments;  // of gradient sums
  float* partial;        // [part][numbers][channels]
  float* accumulator;    // [numbers][channels]
};

struct SumState {
  static constexpr int numbers = 1;
  float n[1] = {};
  RDI_DEVICE void add(const ChannelArguments& p, int64_t row, int32_t c) { n[0] += p.x[row * p.channels + c]; }
  RDI_DEVICE void merge(const SumState& other) { n[0] += other.n[0]; }
};

// Σ dy and Σ dy·(x − mean).
struct GradSumsState {
  static constexpr int numbers = 2;
  float n[2] = {};
  RDI_DEVICE void add(const ChannelArguments& p, int64_t row, int32_t c) {
    const float dy = p.dy[row * p.channels + c];
    n[0] += dy;
    n[1] += dy * (p.x[row * p.channels + c] - p.moments[c]);
  }
  RDI_DEVICE void merge(const GradSumsState& other) {
    n[0] += other.n[0];
    n[1] += other.n[1];
  }
};

// Count, mean and sum of squared deviations, merged by the formulas of Chan, Golub and LeVeque (1979), so that a large
// mean costs no digits.
struct MomentsState {
  static constexpr int numbers = 3;
  float n[3] = {};
  RDI_DEVICE void add(const ChannelArguments& p, int64_t row, int32_t c) {
    MomentsState one;
    one.n[0] = 1;
    one.n[1] = p.x[row * p.channels + c];
    merge(one);
  }
  RDI_DEVICE void merge(const MomentsState& other) {
    const float total = n[0] + other.n[0];
    if (other.n[0] == 0) return;
    const float difference = other.n[1] - n[1], share = other.n[0] / total;
    n[1] += difference * share;
    n[2] += other.n[2] + difference * difference * (n[0] * share);
    n[0] = total;
  }
};

// A block takes `lanes` channels of a part of the rows. Blocks: x parts, y channels. Shared memory: a State a thread.
template <class State, int lanes>
RDI_KERNEL void channelPartial(ChannelArguments p) {
  RDI_SHARED_MEMORY(memory);
  float* const shared = reinterpret_cast<float*>(memory);
  constexpr int rowsAtOnce = reduceThreads / lanes;
  const int lane = threadIdx.x % lanes, first = threadIdx.x / lanes;
  const int32_t channel = blockIdx.y * lanes + lane;
  const int64_t begin = blockIdx.x * p.partRows, end = begin + p.partRows < p.rows ? begin + p.partRows : p.rows;
  State state;
  if (channel < p.channels) {
    for (int64_t row = begin + first; row < end; row += rowsAtOnce) state.add(p, row, channel);
  }
  RDI_UNROLL_LOOP
  for (int i = 0; i < State::numbers; i++) shared[i * reduceThreads + threadIdx.x] = state.n[i];
  __syncthreads();
  if (first != 0 || channel >= p.channels) return;
  for (int other = 1; other < rowsAtOnce; other++) {
    State next;
    RDI_UNROLL_LOOP
    for (int i = 0; i < State::numbers; i++) next.n[i] = shared[i * reduceThreads + other * lanes + lane];
    state.merge(next);
  }
  RDI_UNROLL_LOOP
  for (int i = 0; i < State::numbers; i++) {
    p.partial[(size_t(blockIdx.x) * State::numbers + i) * p.channels + channel] = state.n[i];
  }
}

// Merges the parts into the accumulator.
template <class State>
RDI_KERNEL void channelFold(ChannelArguments p) {
  forEachIndex(p.channels, [&](int64_t channel) {
    State state;
    RDI_UNROLL_LOOP
    for (int i = 0; i < State::numbers; i++) state.n[i] = p.accumulator[i * p.channels + channel];
    for (int32_t part = 0; part < p.parts; part++) {
      State next;
      RDI_UNROLL_LOOP
      for (int i = 0; i < State::numbers; i++) {
        next.n[i] = p.partial[(size_t(part) * State::numbers + i) * p.channels + channel];
      }
      state.merge(next);
    }
    RDI_UNROLL_LOOP
    for (int i = 0; i < State::numbers; i++) p.accumulator[i * p.channels + channel] = state.n[i];
  });
}

struct RowSumArguments {
  Images rows;
  int64_t elements;
  const float* x;
  float* y;
  bool add;  // to what y holds
};

// y[row] = Σ x[row][*]. Blocks: rows. Shared memory: a float a thread.
RDI_KERNEL void rowSumKernel(RowSumArguments p) {
  RDI_SHARED_MEMORY(memory);
  float* const shared = reinterpret_cast<float*>(memory);
  if (int32_t(blockIdx.x) >= imagesNow(p.rows)) return;
  const float* row = p.x + int64_t(blockIdx.x) * p.elements;
  float sum = 0;
  for (int64_t i = threadIdx.x; i < p.elements; i += reduceThreads) sum += row[i];
  shared[threadIdx.x] = sum;
  for (int half = reduceThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (int(threadIdx.x) < half) shared[threadIdx.x] += shared[threadIdx.x + half];
  }
  if (threadIdx.x == 0) p.y[blockIdx.x] = p.add ? p.y[blockIdx.x] + shared[0] : shared[0];
}

}  // namespace rdi::cuda
