#include "heap.h"

namespace rdi {

void* Heap::allocate(size_t bytes, Message& message) {
  Header* header =
      bytes <= SIZE_MAX - sizeof(Header) ? static_cast<Header*>(systemAllocate(bytes + sizeof(Header))) : nullptr;
  if (!header) {
    message.clear() << "Out of memory: " << uint64_t(bytes) << " bytes were asked for while " << uint64_t(live_)
                    << " are in use";
    return nullptr;
  }
  *header = {nullptr, first_, bytes};
  if (first_) first_->previous = header;
  first_ = header;
  live_ += bytes;
  return header + 1;
}

void Heap::release(void* memory) {
  if (!memory) return;
  Header* header = static_cast<Header*>(memory) - 1;
  (header->previous ? header->previous->next : first_) = header->next;
  if (header->next) header->next->previous = header->previous;
  live_ -= header->bytes;
  systemFree(header);
}

void Heap::releaseAll() {
  while (first_) release(first_ + 1);
}

}  // namespace rdi
