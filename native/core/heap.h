// The engine's memory: 64-byte aligned blocks that are counted, and freed with the engine.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "memory.h"
#include "message.h"

namespace rdi {

// Where memory comes from: the process's allocator, or memory.grow in WebAssembly. 64-byte aligned; null when there is
// none.
void* systemAllocate(size_t bytes);
void systemFree(void* memory);

class Heap {
 public:
  Heap() = default;
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;
  ~Heap() { releaseAll(); }

  // Null when memory is out; the message says how much was asked and is in use.
  void* allocate(size_t bytes, Message& message);
  void release(void* memory);
  void releaseAll();
  size_t liveBytes() const { return live_; }

 private:
  // Lies before every block, so that blocks can be counted and freed without their size.
  struct alignas(64) Header {
    Header* previous;
    Header* next;
    size_t bytes;
  };

  Header* first_ = nullptr;
  size_t live_ = 0;
};

// A fixed number of plain objects in the heap, all zero at first.
template <class T>
class Array {
 public:
  Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() {
    if (heap_) heap_->release(items_);
  }

  [[nodiscard]] bool allocate(Heap& heap, size_t count, Message& message) {
    if (!reserve(heap, count, message)) return false;
    zeroBytes(static_cast<void*>(items_), count * sizeof(T));
    return true;
  }
  // The same without clearing, for large buffers that are written before they are read.
  [[nodiscard]] bool reserve(Heap& heap, size_t count, Message& message) {
    if (count > SIZE_MAX / sizeof(T)) {
      message.clear() << "Out of memory: " << uint64_t(count) << " items of " << uint64_t(sizeof(T))
                      << " bytes were asked for";
      return false;
    }
    if (count == 0) return true;
    items_ = static_cast<T*>(heap.allocate(count * sizeof(T), message));
    if (!items_) return false;
    heap_ = &heap;
    count_ = count;
    return true;
  }

  RDI_INLINE size_t size() const { return count_; }
  RDI_INLINE T* data() { return items_; }
  RDI_INLINE const T* data() const { return items_; }
  RDI_INLINE T& operator[](size_t i) { return items_[i]; }
  RDI_INLINE const T& operator[](size_t i) const { return items_[i]; }
  RDI_INLINE T* begin() { return items_; }
  RDI_INLINE T* end() { return items_ + count_; }
  RDI_INLINE const T* begin() const { return items_; }
  RDI_INLINE const T* end() const { return items_ + count_; }

 private:
  Heap* heap_ = nullptr;
  T* items_ = nullptr;
  size_t count_ = 0;
};

}  // namespace rdi
