// Engines that run plans together, each on a thread and a device of its own. They meet before each sum over them and at
// the end of the run, so that all or none get there, and none waits for one that will never come.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "communicator.h"

namespace rdi::cuda {

class Group {
 public:
  // `library`: of NCCL; null: where the system looks for it.
  Group(const std::vector<int>& devices, const char* library)
      : devices_(devices), communicators_(devices.size()), library_(library ? library : ""), known_(library) {}

  // Loads NCCL and connects the devices, when it is first called. False with a message.
  bool connect(Message& message);
  Communicator& communicator(int32_t member) { return communicators_[size_t(member)]; }

  // Waits until every member has come here, each with its rdi_status and the message of one that failed. If any failed,
  // the others get RDI_PEER_FAILED with a message, and all give up the run in hand: there they do not meet again.
  int32_t meet(int32_t member, int32_t status, Message& message);
  // Ends the group for good: who waits, or comes later, is told why.
  void end(int32_t member, const char* why);
  bool ended();

 private:
  struct Failure {
    int32_t member;
    std::string why;
  };

  int32_t tell(const Failure& failure, int32_t status, Message& message) const;

  const std::vector<int> devices_;
  std::vector<Communicator> communicators_;
  const std::string library_;
  const bool known_;
  bool connected_ = false;

  std::mutex lock_;
  std::condition_variable wake_;
  size_t come_ = 0;
  uint64_t times_ = 0;    // that all have come
  bool failing_ = false;  // one of those who have come
  bool failed_ = false;   // one of those who came the last time
  Failure coming_, last_;
  bool ended_ = false;
  Failure end_;
};

// An engine's place in a group, and where it is told what went wrong with another.
struct Member {
  Group& group;
  int32_t number;
  Message& message;

  Communicator& communicator() const { return group.communicator(number); }
  int32_t meet(int32_t status) const { return group.meet(number, status, message); }
};

}  // namespace rdi::cuda
