#include "check.h"
#include "core/heap.h"

int main() {
  rdi::Message message;
  {
    rdi::Heap heap;
    void* a = heap.allocate(100, message);
    void* b = heap.allocate(0, message);
    test::check(a && b && uintptr_t(a) % 64 == 0 && uintptr_t(b) % 64 == 0, "blocks are aligned to 64 bytes");
    test::check(heap.liveBytes() == 100, "live bytes are those asked for");
    heap.release(a);
    heap.release(nullptr);
    test::check(heap.liveBytes() == 0, "releasing gives the bytes back");
    {
      rdi::Array<int32_t> array;
      test::check(array.allocate(heap, 1000, message) && heap.liveBytes() == 4000, "an array takes its items");
      bool clear = true;
      for (int32_t item : array) clear = clear && item == 0;
      test::check(clear, "which are zero");
    }
    test::check(heap.liveBytes() == 0, "and gives them back");

    test::check(!heap.allocate(SIZE_MAX - 10, message), "more than there can be is refused");
    test::check(strstr(message.text(), "bytes were asked for while 0 are in use"), "and the message says how much");
    rdi::Array<int64_t> tooMany;
    test::check(!tooMany.allocate(heap, SIZE_MAX / 4, message), "so are too many items");
  }  // the heap frees block b, which a leak checker would report

  message.clear() << "numbers " << INT64_MIN << " " << UINT64_MAX << " " << 0;
  test::check(strcmp(message.text(), "numbers -9223372036854775808 18446744073709551615 0") == 0,
              "messages hold every integer");
  message.clear();
  for (int i = 0; i < 1000; i++) message << "longer and longer ";
  test::check(strlen(message.text()) < 1024, "messages are cut where their buffer ends");
  return test::finish("heap");
}
