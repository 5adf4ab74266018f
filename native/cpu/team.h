// Workers that do the parts of one work after another together, and never wait for who is late. A barrier around each
// of a network's layers would cost milliseconds wherever other processes want the cores; here a worker that the
// operating system keeps from running misses parts, and the leader does them.
#pragma once

#include <stdint.h>

namespace rdi {

class Team {
 public:
  using Work = void (*)(void* context, int32_t part, int32_t worker);

  // Worker 0: returns when all parts are done. At most maxParts.
  void lead(Work work, void* context, int32_t parts);
  // The other workers: do parts until the turn ends.
  void follow(int32_t worker, int32_t turn);
  // Worker 0: ends a turn; their numbers grow.
  void end(int32_t turn) { __atomic_store_n(&turns_, turn + 1, __ATOMIC_RELEASE); }

  static constexpr int32_t maxParts = 256;

 private:
  // What is open: the number of the work, its parts, and those that are taken already. All in one word, so that who
  // takes a part takes one of this work, which then cannot end before the part is done.
  struct Open {
    uint32_t number;
    uint16_t parts, taken;
  };
  bool take(int32_t* part);

  alignas(64) uint64_t open_ = 0;
  int32_t done_ = 0;
  int32_t turns_ = 0;
  uint32_t number_ = 0;
  Work work_ = nullptr;
  void* context_ = nullptr;
};

}  // namespace rdi
