// A line of text built piece by piece in a fixed buffer: error messages without libc.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernels/isa.h"

namespace rdi {

class Message {
 public:
  RDI_INLINE const char* text() const { return text_; }
  RDI_INLINE bool empty() const { return length_ == 0; }
  RDI_INLINE Message& clear() {
    length_ = 0;
    text_[0] = 0;
    return *this;
  }
  Message& operator<<(const char* text);
  Message& operator<<(long long number);
  RDI_INLINE Message& operator<<(int number) { return *this << static_cast<long long>(number); }
  RDI_INLINE Message& operator<<(long number) { return *this << static_cast<long long>(number); }
  RDI_INLINE Message& operator<<(unsigned number) { return digits(number); }
  RDI_INLINE Message& operator<<(unsigned long number) { return digits(number); }
  RDI_INLINE Message& operator<<(unsigned long long number) { return digits(number); }

 private:
  static constexpr size_t capacity = 1024;

  void put(char c);
  Message& digits(unsigned long long number);

  size_t length_ = 0;
  char text_[capacity] = {};
};

}  // namespace rdi
