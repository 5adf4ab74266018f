#include "core/rdi.h"
#include "group.h"

namespace rdi::cuda {

bool Group::connect(Message& message) {
  std::lock_guard guard(lock_);
  if (connected_) return true;
  const Nccl* nccl = loadNccl(known_ ? library_.c_str() : nullptr, message);
  if (!nccl) return false;
  std::vector<Communicator*> all;
  for (Communicator& communicator : communicators_) all.push_back(&communicator);
  return connected_ = Communicator::connect(*nccl, devices_, all, message);
}

int32_t Group::meet(int32_t member, int32_t status, Message& message) {
  std::unique_lock guard(lock_);
  if (ended_) return tell(end_, status, message);
  if (status != RDI_OK && !failing_) {
    failing_ = true;
    coming_ = {member, message.text()};
  }
  if (++come_ == devices_.size()) {
    come_ = 0;
    times_++;
    failed_ = failing_;
    last_ = coming_;
    failing_ = false;
    wake_.notify_all();
  } else {
    const uint64_t times = times_;
    wake_.wait(guard, [&] { return times_ != times || ended_; });
    if (times_ == times) return tell(end_, status, message);
  }
  return failed_ ? tell(last_, status, message) : status;
}

void Group::end(int32_t member, const char* why) {
  std::lock_guard guard(lock_);
  if (ended_) return;
  ended_ = true;
  end_ = {member, why};
  wake_.notify_all();
}

bool Group::ended() {
  std::lock_guard guard(lock_);
  return ended_;
}

int32_t Group::tell(const Failure& failure, int32_t status, Message& message) const {
  if (status != RDI_OK) return status;
  message.clear() << "Device " << devices_[size_t(failure.member)] << " of the group failed: " << failure.why.c_str();
  return RDI_PEER_FAILED;
}

}  // namespace rdi::cuda
