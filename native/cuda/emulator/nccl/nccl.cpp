// What native/cuda/communicator.cu needs of NCCL, for emulated devices: a library of its own, which the tests have it
// load. Sums are made in the order of the members, when the last of them comes; the streams of the others wait.
//
// RDI_EMULATED_NCCL_FAILURE=<member>: that member's sums fail.
#include <stdlib.h>

#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "../stream.h"

namespace {

constexpr int success = 0, unhandledCudaError = 1;

// A sum over the members.
struct Sum {
  size_t come = 0;
  std::vector<const float*> from;
  std::vector<float*> to;
};

// What the members share.
struct World {
  explicit World(size_t members) : members(members) {}

  // A member has come to its next sum.
  std::shared_ptr<Sum> come(size_t member, size_t number, const float* from, float* to, size_t count) {
    std::lock_guard guard(lock);
    if (number >= first + sums.size()) sums.push_back(std::make_shared<Sum>(Sum{0, {}, {}}));
    std::shared_ptr<Sum> sum = sums[number - first];
    sum->from.resize(members);
    sum->to.resize(members);
    sum->from[member] = from;
    sum->to[member] = to;
    if (++sum->come < members) return sum;
    for (size_t i = 0; i < count; i++) {
      float total = 0;
      for (const float* x : sum->from) total += x[i];
      for (float* y : sum->to) y[i] = total;
    }
    while (!sums.empty() && sums.front()->come == members) {
      sums.pop_front();
      first++;
    }
    return sum;
  }
  bool done(const Sum& sum) {
    std::lock_guard guard(lock);
    return sum.come == members;
  }

  const size_t members;
  std::mutex lock;
  std::deque<std::shared_ptr<Sum>> sums;  // that not all have come to
  size_t first = 0;                       // the number of the first of them
};

struct Member {
  std::shared_ptr<World> world;
  size_t number;
  size_t sums = 0;
  bool aborted = false;
};

// Handles are pointers to these.
using Handle = std::shared_ptr<Member>;

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT int ncclGetVersion(int* version) {
  *version = 22800;
  return success;
}

EXPORT const char* ncclGetErrorString(int result) {
  return result == unhandledCudaError ? "unhandled cuda error" : "no error";
}

EXPORT int ncclCommInitAll(void** communicators, int count, const int*) {
  const auto world = std::make_shared<World>(size_t(count));
  for (int i = 0; i < count; i++) communicators[i] = new Handle(new Member{world, size_t(i)});
  return success;
}

EXPORT int ncclCommAbort(void* communicator) {
  const auto handle = static_cast<Handle*>(communicator);
  (*handle)->aborted = true;
  delete handle;
  return success;
}

EXPORT int ncclCommGetAsyncError(void*, int* result) {
  *result = success;
  return success;
}

EXPORT int ncclGroupStart() { return success; }
EXPORT int ncclGroupEnd() { return success; }

EXPORT int ncclAllReduce(const void* from, void* to, size_t count, int, int, void* communicator,
                         EmulatedStream* stream) {
  const Handle member = *static_cast<Handle*>(communicator);
  const char* failing = getenv("RDI_EMULATED_NCCL_FAILURE");
  if (failing && strtoul(failing, nullptr, 10) == member->number) return unhandledCudaError;
  const size_t number = member->sums++;
  stream->push([=, sum = std::shared_ptr<Sum>()]() mutable {
    if (member->aborted) return true;
    if (!sum)
      sum =
          member->world->come(member->number, number, static_cast<const float*>(from), static_cast<float*>(to), count);
    return member->world->done(*sum);
  });
  return success;
}
