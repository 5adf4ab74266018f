// Feeds the engine any words as a plan: it must refuse them with a message or run them, without a step outside its
// memory. libFuzzer calls this (scripts/fuzz), and replay_corpus.cpp with the inputs that are kept
// (scripts/test-native).
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <string>
#include <vector>

#include "core/rdi.h"

namespace {

using std::vector;

// Places in the words, by docs/plan-format.md.
enum Header {
  Magic,
  Version,
  Words,
  Tile,
  MaxBatch,
  Buffers,
  Values,
  ArenaFloats = 10,
  SharedFloats,
  Segments,
  Queues
};
constexpr size_t headerWords = 16, valueWords = 10;

// A plan of more floats in all is made but not run: it would only cost time.
constexpr uint64_t maxFloats = 1 << 15;

void expect(bool ok, const char* what, const char* message) {
  if (ok) return;
  fprintf(stderr, "Expected %s; the engine says: %s\n", what, message);
  abort();
}

struct Buffer {
  uint64_t perImage = 0, whole = 0;  // elements that values in it have
  bool i32 = false;
};

// What a plan that was taken needs of its caller.
struct Needs {
  vector<Buffer> buffers;
  uint64_t floats = 0;
  uint64_t classes = 0;
};

Needs needsOf(const vector<int32_t>& words) {
  Needs needs{vector<Buffer>(size_t(words[Buffers]))};
  needs.floats = uint64_t(words[ArenaFloats]) + uint64_t(words[SharedFloats]) + uint64_t(words[Queues]);
  for (size_t i = 0; i < size_t(words[Values]); i++) {
    const int32_t* value = &words[headerWords + i * valueWords];
    const bool external = value[0] == 0, perImage = value[4] == 1;
    uint64_t elements = 1;
    for (size_t d = 6; d < valueWords; d++) elements *= uint64_t(value[d]);
    if (!external) {
      // An adaptive run writes as many probabilities for an image as one of these has elements.
      needs.classes = std::max(needs.classes, elements);
      continue;
    }
    Buffer& buffer = needs.buffers[size_t(value[1])];
    buffer.i32 = buffer.i32 || value[3] == 1;
    uint64_t& most = perImage ? buffer.perImage : buffer.whole;
    most = std::max(most, elements);
    needs.floats += elements;
  }
  return needs;
}

// Memory of its own for every buffer, and not a word more than it must have.
class Memory {
 public:
  ~Memory() {
    for (void* block : blocks_) free(block);
  }
  template <class T>
  T* take(size_t count) {
    blocks_.push_back(calloc(std::max<size_t>(count, 1), sizeof(T)));
    return static_cast<T*>(blocks_.back());
  }
  void* fill(const Buffer& buffer, uint64_t batch) {
    const size_t count = size_t(std::max(buffer.perImage * batch, buffer.whole));
    if (!buffer.i32) {
      float* floats = take<float>(count);
      for (size_t i = 0; i < count; i++) floats[i] = float(int(i * 7 % 13) - 6) / 4;
      return floats;
    }
    int32_t* labels = take<int32_t>(count);
    for (size_t i = 0; i < count; i++) labels[i] = int32_t(i % 3);
    return labels;
  }

 private:
  vector<void*> blocks_;
};

void run(rdi_plan* plan, const vector<int32_t>& words, const Needs& needs, int32_t version) {
  const int32_t batch = std::min(words[MaxBatch], words[Tile] + 2);
  if (uint64_t(batch) * needs.floats > 8 * maxFloats) return;
  Memory memory;
  vector<void*> buffers;
  for (const Buffer& buffer : needs.buffers) buffers.push_back(memory.fill(buffer, uint64_t(batch)));
  int32_t status;
  if (words[Segments] == 0) {
    status = rdi_plan_run(plan, batch, batch, 2, buffers.data(), version, nullptr);
  } else {
    vector<float> thresholds(size_t(words[Segments]), 0.9f);
    const size_t images = size_t(batch);
    status = rdi_adaptive_run(plan, batch, thresholds.data(), buffers.data(),
                              memory.take<float>(images * size_t(needs.classes)), memory.take<float>(images),
                              memory.take<int32_t>(images), version, nullptr);
  }
  expect(status == RDI_OK || (status == RDI_BAD_ARGUMENT && rdi_run_error(plan)[0]),
         "a run to end well or with a message", rdi_run_error(plan));
}

// Whether the engine took the plan.
bool make(rdi_engine* engine, const vector<int32_t>& words) {
  rdi_plan* plan = rdi_plan_create(engine, words.data(), words.size());
  if (!plan) {
    const char* message = rdi_last_error(engine);
    expect(strstr(message, "Expected") || strstr(message, "Out of memory"), "a reason of refusal", message);
    expect(rdi_live_bytes(engine) == 0, "nothing to be left of a refused plan", message);
    return false;
  }
  const Needs needs = needsOf(words);
  if (needs.floats + needs.buffers.size() <= maxFloats) {
    // Anew, and with what is cached from the first run.
    for (int i = 0; i < 2; i++) run(plan, words, needs, 1);
  }
  rdi_plan_destroy(plan);
  return true;
}

// An engine for each instruction set of the machine.
struct Engines {
  Engines() {
    for (int32_t i = 0; i < rdi_isa_count(); i++) {
      if (rdi_isa_supported(i)) list.push_back(rdi_engine_create(1, rdi_isa_name(i), 0, RDI_FP32));
    }
  }
  ~Engines() {
    for (rdi_engine* engine : list) rdi_engine_destroy(engine);
  }
  vector<rdi_engine*> list;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Engines engines;
  vector<int32_t> words(size / 4);
  if (!words.empty()) memcpy(words.data(), data, words.size() * 4);
  for (rdi_engine* engine : engines.list) make(engine, words);
  return 0;
}

#ifdef RDI_LIBFUZZER
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t maxSize);

// libFuzzer's own changes, or some of words as a plan's are: small numbers, near misses, and words from elsewhere. Then
// the words that are the same in every plan, which would have to be hit anew with every word that comes or goes.
extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t maxSize, unsigned seed) {
  vector<int32_t> words(std::max(maxSize, size_t(64)) / 4);
  const bool own = seed % 2 == 0 && size >= 64;
  if (!own) size = LLVMFuzzerMutate(data, size, maxSize);
  size_t count = std::max(size / 4, headerWords);
  memcpy(words.data(), data, size / 4 * 4);
  auto next = [&] { return seed = seed * 1664525u + 1013904223u, seed >> 8; };
  for (unsigned changes = own ? 1 + next() % 3 : 0; changes > 0; changes--) {
    int32_t& word = words[next() % count];
    switch (next() % 4) {
      case 0:
        word = int32_t(uint32_t(word) + next() % 7 - 3);
        break;
      case 1:
        word = int32_t(next() % 40) - 1;
        break;
      case 2:
        word = words[next() % count];
        break;
      default:
        word = int32_t(uint32_t(word) ^ 1u << next() % 32);
    }
  }
  words[Magic] = 0x31494452;
  words[Version] = 1;
  words[Words] = int32_t(count);
  const size_t bytes = std::min(count * 4, maxSize);
  memcpy(data, words.data(), bytes);
  return bytes;
}
#endif
