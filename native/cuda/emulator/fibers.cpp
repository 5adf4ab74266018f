#include "fibers.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#endif

#include <deque>
#include <memory>
#include <utility>
#include <vector>

namespace rdi::emulator {
namespace {

constexpr int warpSize = 32;

// AddressSanitizer has to know which stack is running; its frames are large.
#ifdef __SANITIZE_ADDRESS__
constexpr size_t stackBytes = 512 * 1024;

struct Stack {
  const void* bottom = nullptr;
  size_t bytes = 0;
  void* fake = nullptr;  // what the sanitizer keeps while another runs
};
void leaveFor(Stack& mine, const Stack& other) {
  __sanitizer_start_switch_fiber(&mine.fake, other.bottom, other.bytes);
}
// `from` is the stack that ran before: the thread's own is known by that alone.
void arrive(const Stack& mine, Stack& from) { __sanitizer_finish_switch_fiber(mine.fake, &from.bottom, &from.bytes); }
#else
constexpr size_t stackBytes = 128 * 1024;

struct Stack {
  const void* bottom = nullptr;
  size_t bytes = 0;
};
void leaveFor(Stack&, const Stack&) {}
void arrive(const Stack&, Stack&) {}
#endif

// Leaves the running stack for another: `*from` receives where to come back to.
#if defined(__x86_64__)
extern "C" void rdi_switch_stack(void** from, void* to);
asm(R"(
.text
.type rdi_switch_stack, @function
rdi_switch_stack:
  push %rbp
  push %rbx
  push %r12
  push %r13
  push %r14
  push %r15
  mov %rsp, (%rdi)
  mov %rsi, %rsp
  pop %r15
  pop %r14
  pop %r13
  pop %r12
  pop %rbx
  pop %rbp
  ret
.size rdi_switch_stack, .-rdi_switch_stack
)");

class Context {
 public:
  static void change(Context& from, Context& to) { rdi_switch_stack(&from.top_, to.top_); }
  void start(unsigned char* stack, void (*entry)()) {
    auto top = reinterpret_cast<void**>(stack + stackBytes - 72);
    // As after a call: aligned to 16 bytes but for the return address, which nothing returns to.
    *top = nullptr;
    *--top = reinterpret_cast<void*>(entry);
    top_ = top - 6;
  }

 private:
  void* top_ = nullptr;
};
#else
class Context {
 public:
  static void change(Context& from, Context& to) { swapcontext(&from.context_, &to.context_); }
  void start(unsigned char* stack, void (*entry)()) {
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack;
    context_.uc_stack.ss_size = stackBytes;
    context_.uc_link = nullptr;
    makecontext(&context_, entry, 0);
  }

 private:
  ucontext_t context_;
};
#endif

// A meeting of threads: those that have come, and how often all had.
struct Barrier {
  int come = 0, line = 0;
  uint64_t times = 0;
};

struct Warp {
  Barrier barrier;
  alignas(16) unsigned char published[2][warpSize * publishedBytes];
};

struct Copy {
  void* to;
  const void* from;
  int group;
};

struct Fiber {
  Context context;
  Stack stack;
  std::deque<Copy> copies;
  int groups;
  bool done;
  const Barrier* waits;  // until it has been met more than `times`
  uint64_t times;
};

struct Block {
  void (*thread)(void*, int);
  void* self;
  int count, running;
  Context scheduler;
  Stack schedulersStack;
  Barrier barrier;
  std::vector<Fiber> fibers;
  std::vector<Warp> warps;
  std::vector<int> order;
  std::vector<unsigned char> shared;
  std::vector<std::unique_ptr<unsigned char[]>> stacks;
};

thread_local Block block;

[[noreturn]] void stop(const char* what, int line) {
  fprintf(stderr, "CUDA emulator: %s (thread %d of %d, line %d)\n", what, block.running, block.count, line);
  abort();
}

// From a thread to the scheduler, until that comes back.
void giveWay(Fiber& mine) {
  leaveFor(mine.stack, block.schedulersStack);
  Context::change(mine.context, block.scheduler);
  arrive(mine.stack, block.schedulersStack);
}

void resume(Fiber& fiber) {
  leaveFor(block.schedulersStack, fiber.stack);
  Context::change(block.scheduler, fiber.context);
  Stack from;
  arrive(block.schedulersStack, from);
}

void enter() {
  Fiber& mine = block.fibers[size_t(block.running)];
  arrive(mine.stack, block.schedulersStack);
  block.thread(block.self, block.running);
  mine.done = true;
  giveWay(mine);
}

void meet(Barrier& barrier, int threads, int line) {
  if (barrier.come > 0 && barrier.line != line) stop("threads of a block meet at barriers in different lines", line);
  barrier.line = line;
  if (++barrier.come == threads) {
    barrier.come = 0;
    barrier.times++;
    return;
  }
  Fiber& mine = block.fibers[size_t(block.running)];
  mine.waits = &barrier;
  mine.times = barrier.times;
  giveWay(mine);
}

void arrange(int count) {
  block.order.resize(size_t(count));
  for (int i = 0; i < count; i++) block.order[size_t(i)] = i;
  const char* order = getenv("RDI_EMULATED_ORDER");
  if (!order) return;
  if (strcmp(order, "reverse") == 0) {
    for (int i = 0; i < count; i++) block.order[size_t(i)] = count - 1 - i;
  } else if (strcmp(order, "shuffle") == 0) {
    uint32_t state = 12345;
    for (int i = count - 1; i > 0; i--) {
      state = state * 1664525u + 1013904223u;
      std::swap(block.order[size_t(i)], block.order[(state >> 8) % uint32_t(i + 1)]);
    }
  } else {
    stop("Expected reverse or shuffle for RDI_EMULATED_ORDER", 0);
  }
}

}  // namespace

void runBlock(int count, size_t bytes, void (*thread)(void*, int), void* self) {
  block.thread = thread;
  block.self = self;
  block.barrier = {};
  if (block.count != count) {
    block.count = count;
    arrange(count);
    block.fibers.resize(size_t(count));
    block.warps.resize(size_t((count + warpSize - 1) / warpSize));
    while (block.stacks.size() < size_t(count)) block.stacks.push_back(std::make_unique<unsigned char[]>(stackBytes));
  }
  for (Warp& warp : block.warps) warp.barrier = {};
  block.shared.assign(bytes, 0xff);
  for (int i = 0; i < count; i++) {
    Fiber& fiber = block.fibers[size_t(i)];
    fiber.done = false;
    fiber.copies.clear();
    fiber.groups = 0;
    fiber.waits = nullptr;
    fiber.stack = {block.stacks[size_t(i)].get(), stackBytes};
    fiber.context.start(block.stacks[size_t(i)].get(), enter);
  }
  for (int left = count; left > 0;) {
    bool moved = false;
    for (int i : block.order) {
      Fiber& fiber = block.fibers[size_t(i)];
      if (fiber.done || (fiber.waits && fiber.waits->times == fiber.times)) continue;
      fiber.waits = nullptr;
      block.running = i;
      resume(fiber);
      moved = true;
      left -= fiber.done;
    }
    if (!moved) stop("threads wait at a barrier that others have left out", block.barrier.line);
  }
}

int runningThread() { return block.running; }
int lane() { return block.running % warpSize; }
unsigned char* sharedMemory() { return block.shared.data(); }
void syncBlock(int line) { meet(block.barrier, block.count, line); }

void syncWarp() {
  const int first = block.running / warpSize * warpSize, rest = block.count - first;
  meet(block.warps[size_t(block.running / warpSize)].barrier, rest < warpSize ? rest : warpSize, 0);
}

const unsigned char* publish(const void* mine, size_t bytes) {
  if (bytes > publishedBytes) stop("too much to tell a warp at once", 0);
  Warp& warp = block.warps[size_t(block.running / warpSize)];
  // The half changes whenever all have met; until then nobody has written to the other.
  unsigned char* half = warp.published[warp.barrier.times % 2];
  memcpy(half + size_t(lane()) * publishedBytes, mine, bytes);
  syncWarp();
  return half;
}

void copyLater(void* to, const void* from) {
  Fiber& mine = block.fibers[size_t(block.running)];
  mine.copies.push_back({to, from, mine.groups});
}

void commitCopies() { block.fibers[size_t(block.running)].groups++; }

void awaitCopies(int pending) {
  Fiber& mine = block.fibers[size_t(block.running)];
  for (; !mine.copies.empty() && mine.copies.front().group < mine.groups - pending; mine.copies.pop_front()) {
    const Copy& copy = mine.copies.front();
    if (copy.from) {
      memcpy(copy.to, copy.from, 16);
    } else {
      memset(copy.to, 0, 16);
    }
  }
}

}  // namespace rdi::emulator
