// A line of text built piece by piece in a fixed buffer: error messages without libc.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace rdi {

class Message {
 public:
  const char* text() const { return text_; }
  bool empty() const { return length_ == 0; }
  Message& clear() {
    length_ = 0;
    text_[0] = 0;
    return *this;
  }
  Message& operator<<(const char* text) {
    while (*text) put(*text++);
    return *this;
  }
  Message& operator<<(int number) { return *this << static_cast<long long>(number); }
  Message& operator<<(long number) { return *this << static_cast<long long>(number); }
  Message& operator<<(long long number) {
    if (number < 0) put('-');
    // Negating as unsigned is right for the least number too.
    return digits(number < 0 ? 0 - static_cast<unsigned long long>(number) : static_cast<unsigned long long>(number));
  }
  Message& operator<<(unsigned number) { return digits(number); }
  Message& operator<<(unsigned long number) { return digits(number); }
  Message& operator<<(unsigned long long number) { return digits(number); }

 private:
  static constexpr size_t capacity = 1024;

  void put(char c) {
    if (length_ + 1 >= capacity) return;
    text_[length_++] = c;
    text_[length_] = 0;
  }
  Message& digits(unsigned long long number) {
    if (number >= 10) digits(number / 10);
    put(char('0' + number % 10));
    return *this;
  }

  size_t length_ = 0;
  char text_[capacity] = {};
};

}  // namespace rdi
