#include "team.h"

#include "kernels/isa.h"

namespace rdi {
namespace {

// Tells the processor that this is a loop that waits.
RDI_INLINE void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace

void Team::lead(Work work, void* context, int32_t parts) {
  work_ = work;
  context_ = context;
  __atomic_store_n(&done_, 0, __ATOMIC_RELAXED);
  const Open open = {++number_, uint16_t(parts), 0};
  __atomic_store_n(&open_, __builtin_bit_cast(uint64_t, open), __ATOMIC_RELEASE);
  for (int32_t part; take(&part);) {
    work(context, part, 0);
    __atomic_fetch_add(&done_, 1, __ATOMIC_RELAXED);
  }
  while (__atomic_load_n(&done_, __ATOMIC_ACQUIRE) < parts) pause();
}

void Team::follow(int32_t worker, int32_t turn) {
  while (__atomic_load_n(&turns_, __ATOMIC_ACQUIRE) <= turn) {
    int32_t part;
    if (!take(&part)) {
      pause();
      continue;
    }
    work_(context_, part, worker);
    __atomic_fetch_add(&done_, 1, __ATOMIC_RELEASE);
  }
}

bool Team::take(int32_t* part) {
  uint64_t word = __atomic_load_n(&open_, __ATOMIC_ACQUIRE);
  for (;;) {
    const Open open = __builtin_bit_cast(Open, word);
    if (open.taken >= open.parts) return false;
    const Open taken = {open.number, open.parts, uint16_t(open.taken + 1)};
    *part = open.taken;
    if (__atomic_compare_exchange_n(&open_, &word, __builtin_bit_cast(uint64_t, taken), false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
      return true;
  }
}

}  // namespace rdi
