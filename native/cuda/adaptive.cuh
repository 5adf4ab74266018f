// Which images leave at an exit, and where those that stay go: decided on the device, so that the host need not wait.
#pragma once

#include "extent.cuh"

namespace rdi::cuda {

constexpr int compactThreads = 1024;

struct CompactArguments {
  Images images;
  const float* entropy;
  const float* threshold;  // null: all leave
  const int32_t* which;    // the images in hand; null: those from `first` on
  int32_t first;
  int32_t* destinations;  // of each row: its row in the next segment, or −1 if its image leaves
  int32_t* sources;       // of each row of the next segment: the row here
  int32_t* nextWhich;
  int32_t* nextCount;
};

RDI_DEVICE int32_t imageOf(const int32_t* which, int32_t first, int32_t row) {
  return which ? which[row] : first + row;
}

// One block, whose threads each take a run of rows: the order of the images stays. Shared memory: an integer a thread.
RDI_KERNEL void __launch_bounds__(compactThreads) compactKernel(CompactArguments p) {
  RDI_SHARED_MEMORY(memory);
  int32_t* const sums = reinterpret_cast<int32_t*>(memory);
  const int32_t images = imagesNow(p.images), each = (images + compactThreads - 1) / compactThreads;
  const int32_t thread = threadIdx.x, begin = thread * each, end = begin + each < images ? begin + each : images;
  const auto stays = [&](int32_t row) { return !(p.entropy[row] < *p.threshold); };
  int32_t mine = 0;
  for (int32_t row = begin; row < end; row++) mine += stays(row);
  sums[thread] = mine;
  // The sum of all up to a thread, in steps of doubled reach.
  for (int reach = 1; reach < compactThreads; reach *= 2) {
    __syncthreads();
    const int32_t before = thread >= reach ? sums[thread - reach] : 0;
    __syncthreads();
    sums[thread] += before;
  }
  int32_t next = sums[thread] - mine;
  for (int32_t row = begin; row < end; row++) {
    if (!stays(row)) {
      p.destinations[row] = -1;
      continue;
    }
    p.destinations[row] = next;
    p.sources[next] = row;
    p.nextWhich[next] = imageOf(p.which, p.first, row);
    next++;
  }
  if (thread == compactThreads - 1) *p.nextCount = sums[thread];
}

struct ReportArguments {
  Images images;
  int32_t classes, exit;
  const int32_t* destinations;  // null: all leave
  const int32_t* which;
  int32_t first;
  const float* probabilities;
  const float* entropy;
  float* allProbabilities;
  float* allEntropy;
  int32_t* allExits;
};

// A thread a row and class.
RDI_KERNEL void reportKernel(ReportArguments p) {
  forEachIndex(countOf({p.images, p.classes}), [&](int64_t i) {
    const int32_t row = int32_t(i / p.classes), c = int32_t(i % p.classes);
    if (p.destinations && p.destinations[row] >= 0) return;
    const int32_t image = imageOf(p.which, p.first, row);
    p.allProbabilities[int64_t(image) * p.classes + c] = p.probabilities[i];
    if (c > 0) return;
    p.allEntropy[image] = p.entropy[row];
    p.allExits[image] = p.exit;
  });
}

struct MoveArguments {
  Extent extent;  // of the next segment's images
  const int32_t* sources;
  const float* from;
  float* to;
};

RDI_KERNEL void moveKernel(MoveArguments p) {
  forEachIndex(countOf(p.extent), [&](int64_t i) {
    const int64_t row = i / p.extent.elements, inside = i % p.extent.elements;
    p.to[i] = p.from[p.sources[row] * p.extent.elements + inside];
  });
}

}  // namespace rdi::cuda
