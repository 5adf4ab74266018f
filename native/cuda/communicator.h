// Sums over the GPUs of a group, by NVIDIA's NCCL, which is loaded when it is first needed: only training needs it.
#pragma once

#include <vector>

#include "launch.h"

namespace rdi::cuda {

struct Nccl;  // the library's functions

// The library, which stays loaded. `path`: null, or where it is. Null with a message if it cannot be had.
const Nccl* loadNccl(const char* path, Message& message);
// "NCCL 2.28.3".
void describeNccl(const Nccl& nccl, Message& name);

// An engine's part in the sums. For the thread that runs its plans alone.
class Communicator {
 public:
  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  ~Communicator() { abort(); }

  // Connects devices: as many communicators. False with a message.
  static bool connect(const Nccl& nccl, const std::vector<int>& devices, const std::vector<Communicator*>& all,
                      Message& message);

  // Between these, sums are gathered and started together.
  void begin(Stream& stream);
  void end(Stream& stream);
  // Puts a sum over the group into the stream; all members put the same ones there, in the same order.
  void sum(const float* from, float* to, size_t count, Stream& stream);

  // What went wrong in the library, perhaps while it worked; empty if nothing did.
  const Message& error();
  // Ends the sums in hand, which may wait for members that will never come, and all later ones.
  void abort();

 private:
  void check(int result, const char* what, Stream& stream);

  const Nccl* nccl_ = nullptr;
  void* handle_ = nullptr;  // an ncclComm_t
  Message error_;
};

}  // namespace rdi::cuda
