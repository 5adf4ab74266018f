// Memory of a WebAssembly module: a free list in address order over memory.grow. First fit with coalescing is enough:
// an engine holds some hundreds of blocks, and allocates none while it computes.
#ifdef __wasm__

#include "heap.h"

extern "C" unsigned char __heap_base;  // set by the linker: where the data ends

namespace rdi {
namespace {

constexpr size_t alignment = 64;
constexpr size_t page = 65536;

// Blocks tile the memory from the heap's base to its end. Each starts with this header, and what is used follows it.
struct alignas(alignment) Block {
  size_t bytes;  // header included
  Block* next;   // the next free block, while this one is free
};

Block* firstFree = nullptr;
uintptr_t heapEnd = 0;

uintptr_t addressOf(const Block* block) { return reinterpret_cast<uintptr_t>(block); }
bool adjoin(const Block* a, const Block* b) { return addressOf(a) + a->bytes == addressOf(b); }

// Puts a block into the free list, joined with its neighbours.
void addFree(Block* block) {
  Block* before = nullptr;
  Block* after = firstFree;
  while (after && after < block) {
    before = after;
    after = after->next;
  }
  block->next = after;
  if (after && adjoin(block, after)) {
    block->bytes += after->bytes;
    block->next = after->next;
  }
  if (!before) {
    firstFree = block;
  } else if (adjoin(before, block)) {
    before->bytes += block->bytes;
    before->next = block->next;
  } else {
    before->next = block;
  }
}

// Bytes at the end of the heap that are free already, and so need not be grown.
size_t freeTail() {
  for (Block* block = firstFree; block; block = block->next) {
    if (addressOf(block) + block->bytes == heapEnd) return block->bytes;
  }
  return 0;
}

void addRange(uintptr_t begin, size_t bytes) {
  Block* block = reinterpret_cast<Block*>(begin);
  block->bytes = bytes;
  addFree(block);
}

// Makes a free block of at least `bytes` exist at the end of the heap.
bool grow(size_t bytes) {
  if (heapEnd == 0) {
    uintptr_t base = (reinterpret_cast<uintptr_t>(&__heap_base) + alignment - 1) & ~uintptr_t(alignment - 1);
    // The last page of a full 4 GiB stays unused, so that the end of the heap is a number.
    heapEnd = __builtin_wasm_memory_size(0) * page;
    if (base < heapEnd) {
      addRange(base, heapEnd - base);
    } else {
      heapEnd = base;
    }
  }
  size_t tail = freeTail();
  if (tail >= bytes) return true;
  uint64_t end = uint64_t(heapEnd) + (bytes - tail);
  uint64_t pages = (end + page - 1) / page;
  size_t present = __builtin_wasm_memory_size(0);
  if (pages >= 65536) return false;
  if (pages > present && __builtin_wasm_memory_grow(0, pages - present) == SIZE_MAX) return false;
  uintptr_t begin = heapEnd;
  heapEnd = __builtin_wasm_memory_size(0) * page;
  addRange(begin, heapEnd - begin);
  return true;
}

// Takes the first free block that is large enough, and gives back what it has too much.
void* take(size_t bytes) {
  for (Block** link = &firstFree; *link; link = &(*link)->next) {
    Block* block = *link;
    if (block->bytes < bytes) continue;
    *link = block->next;
    size_t rest = block->bytes - bytes;
    if (rest > sizeof(Block)) {
      block->bytes = bytes;
      addRange(addressOf(block) + bytes, rest);
    }
    return block + 1;
  }
  return nullptr;
}

}  // namespace

void* systemAllocate(size_t bytes) {
  if (bytes > SIZE_MAX - 2 * sizeof(Block)) return nullptr;
  size_t total = (bytes + sizeof(Block) + alignment - 1) & ~(alignment - 1);
  if (void* memory = take(total)) return memory;
  return grow(total) ? take(total) : nullptr;
}

void systemFree(void* memory) {
  if (memory) addFree(static_cast<Block*>(memory) - 1);
}

}  // namespace rdi

#endif
