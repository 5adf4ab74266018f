// The threads of an emulated block: fibers that take turns, and give way where they wait for each other.
#pragma once

#include <stddef.h>

namespace rdi::emulator {

// Runs `thread(self, i)` for i = 0 … count − 1 as one block with `bytes` of shared memory, which hold NaN at first.
// Ends the process with a message if threads wait for each other in vain.
void runBlock(int count, size_t bytes, void (*thread)(void* self, int i), void* self);

// The thread that is running: its number in the block and in the warp.
int runningThread();
int lane();
unsigned char* sharedMemory();
// Waits for all threads of the block; all must come to the same line.
void syncBlock(int line);
void syncWarp();

// What a warp's threads tell each other: writes `bytes` (128 at most) for the others, and waits for theirs. They stay
// until the call after the next.
const unsigned char* publish(const void* mine, size_t bytes);
constexpr size_t publishedBytes = 128;  // between one lane's and the next's

// The value that another lane of the warp gave.
template <class T>
T exchange(T value, int from) {
  const unsigned char* all = publish(&value, sizeof(T));
  T result;
  __builtin_memcpy(&result, all + size_t(from) * publishedBytes, sizeof(T));
  return result;
}

// Copies of 16 bytes (zeros if `from` is null) that a thread has under way. They are made as late as they may be, so
// that a missing wait shows.
void copyLater(void* to, const void* from);
void commitCopies();
void awaitCopies(int pending);

}  // namespace rdi::emulator
