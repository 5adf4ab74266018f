#include "message.h"

namespace rdi {

Message& Message::operator<<(const char* text) {
  while (*text) put(*text++);
  return *this;
}

Message& Message::operator<<(long long number) {
  if (number < 0) put('-');
  // Negating as unsigned is right for the least number too.
  return digits(number < 0 ? 0 - static_cast<unsigned long long>(number) : static_cast<unsigned long long>(number));
}

void Message::put(char c) {
  if (length_ + 1 >= capacity) return;
  text_[length_++] = c;
  text_[length_] = 0;
}

Message& Message::digits(unsigned long long number) {
  if (number >= 10) digits(number / 10);
  put(char('0' + number % 10));
  return *this;
}

}  // namespace rdi
