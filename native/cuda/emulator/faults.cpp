#include "faults.h"

#include <stdio.h>
#include <stdlib.h>

#include <mutex>
#include <string>

namespace rdi::emulator {
namespace {

std::mutex lock;
std::string setting, chosen;
long left = 0;

void choose(const char* value) {
  setting = value;
  const size_t colon = setting.find(':');
  left = colon == std::string::npos ? 0 : strtol(value + colon + 1, nullptr, 10);
  chosen = setting.substr(0, colon);
  if (left > 0 && (chosen == "launch" || chosen == "kernel" || chosen == "graph" || chosen == "copy")) return;
  fprintf(stderr,
          "CUDA emulator: Expected launch:N, kernel:N, graph:N or copy:N for RDI_EMULATED_FAULT but received %s\n",
          value);
  abort();
}

}  // namespace

bool failsNow(const char* what) {
  std::lock_guard guard(lock);
  const char* value = getenv("RDI_EMULATED_FAULT");
  if (!value) {
    setting.clear();
    return false;
  }
  if (setting != value) choose(value);
  return chosen == what && --left == 0;
}

}  // namespace rdi::emulator
