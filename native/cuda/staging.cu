#include <string.h>

#include "staging.h"

namespace rdi::cuda {

Staging::~Staging() {
  for (cudaEvent_t event : sent_) {
    if (event) cudaEventDestroy(event);
  }
  if (memory_) cudaFreeHost(memory_);
}

bool Staging::create(Stream& stream) {
  void* memory = nullptr;
  stream.check(cudaMallocHost(&memory, 2 * halfBytes), "pinned memory");
  memory_ = static_cast<unsigned char*>(memory);
  for (cudaEvent_t& event : sent_) stream.check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "an event");
  return stream.error() == cudaSuccess;
}

bool Staging::write(Stream& stream, void* to, const void* from, size_t bytes) {
  constexpr const char* what = "a copy to the device";
  auto source = static_cast<const unsigned char*>(from);
  auto target = static_cast<unsigned char*>(to);
  int which = 0;
  bool used[2] = {};
  for (size_t done = 0; done < bytes && stream.error() == cudaSuccess; which = 1 - which) {
    const size_t part = bytes - done < halfBytes ? bytes - done : halfBytes;
    if (used[which]) stream.check(cudaEventSynchronize(sent_[which]), what);
    memcpy(half(which), source + done, part);
    stream.check(cudaMemcpyAsync(target + done, half(which), part, cudaMemcpyHostToDevice, stream.handle()), what);
    stream.check(cudaEventRecord(sent_[which], stream.handle()), what);
    used[which] = true;
    done += part;
  }
  return stream.check(cudaStreamSynchronize(stream.handle()), what);
}

bool Staging::read(Stream& stream, void* to, const void* from, size_t bytes) {
  constexpr const char* what = "a copy from the device";
  auto source = static_cast<const unsigned char*>(from);
  auto target = static_cast<unsigned char*>(to);
  // The copies run one part ahead of what is taken out.
  size_t asked = 0, taken = 0;
  const auto ask = [&] {
    if (asked >= bytes) return;
    const size_t part = bytes - asked < halfBytes ? bytes - asked : halfBytes;
    const int which = int(asked / halfBytes % 2);
    stream.check(cudaMemcpyAsync(half(which), source + asked, part, cudaMemcpyDeviceToHost, stream.handle()), what);
    stream.check(cudaEventRecord(sent_[which], stream.handle()), what);
    asked += part;
  };
  ask();
  while (taken < bytes && stream.error() == cudaSuccess) {
    ask();
    const int which = int(taken / halfBytes % 2);
    const size_t part = bytes - taken < halfBytes ? bytes - taken : halfBytes;
    if (!stream.check(cudaEventSynchronize(sent_[which]), what)) break;
    memcpy(target + taken, half(which), part);
    taken += part;
  }
  return stream.error() == cudaSuccess;
}

}  // namespace rdi::cuda
