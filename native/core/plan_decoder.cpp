#include "plan_decoder.h"

#include "op.h"

namespace rdi {
namespace {

constexpr int32_t magic = 0x31494452;  // "RDI1"
constexpr int32_t formatVersion = 1;
constexpr int32_t headerWords = 16, valueWords = 10, nodeWords = 4, phaseWords = 7, carryWords = 2, segmentWords = 5,
                  moveWords = 2;
// Bounds under which products of a few of these numbers stay far inside 64 bits, and sizes of one value inside 32.
constexpr int32_t maxTile = 1 << 16, maxBatchLimit = 1 << 24;
constexpr uint64_t maxElements = 1 << 28;

class Decoder {
 public:
  Decoder(Heap& heap, Plan& plan, Message& message) : heap_(heap), plan_(plan), message_(message), words_(plan.words) {}

  bool decode() { return header() && values() && nodes() && phases() && carries() && segments() && strings(); }

 private:
  size_t remaining() const { return words_.size() - at_; }

  // The message of a bad word; the word is the one last taken.
  bool bad(const char* what, const char* expected) { return badAt(at_ - 1, what, expected); }
  bool badAt(size_t word, const char* what, const char* expected) {
    message_.clear() << "word " << uint64_t(word) << ": Expected " << expected << " for " << what << " but received "
                     << words_[word];
    return false;
  }
  bool ends(const char* what) {
    message_.clear() << "word " << uint64_t(words_.size()) << ": Expected " << what << " but the plan ends";
    return false;
  }

  // The next word, which must be in [low, high].
  bool take(int32_t& into, int64_t low, int64_t high, const char* what) {
    if (remaining() == 0) return ends(what);
    into = words_[at_++];
    if (into >= low && into <= high) return true;
    message_.clear() << "word " << uint64_t(at_ - 1) << ": Expected " << low;
    if (high != low) message_ << " to " << high;
    message_ << " for " << what << " but received " << into;
    return false;
  }

  bool count(int32_t& into, int32_t wordsEach, const char* what) {
    return take(into, 0, int64_t(words_.size() / size_t(wordsEach)), what);
  }

  bool header() {
    if (words_.size() < size_t(headerWords)) return ends("a header of 16 words");
    int32_t word;
    if (!take(word, magic, magic, "the magic number") ||
        !take(word, formatVersion, formatVersion, "the format version") ||
        !take(word, int64_t(words_.size()), int64_t(words_.size()), "the number of words") ||
        !take(plan_.tile, 1, maxTile, "the tile") || !take(plan_.maxBatch, 1, maxBatchLimit, "maxBatch") ||
        !take(plan_.externalCount, 0, 1 << 16, "the number of external buffers") ||
        !count(valueCount_, valueWords, "the number of values") ||
        !count(nodeCount_, nodeWords, "the number of nodes") ||
        !count(phaseCount_, phaseWords, "the number of phases") ||
        !count(carryCount_, carryWords, "the number of carries") ||
        !take(plan_.arenaFloats, 0, INT32_MAX, "the floats of the arena") ||
        !take(plan_.sharedFloats, 0, INT32_MAX, "the floats of the shared arena") ||
        !count(segmentCount_, segmentWords, "the number of segments") ||
        !take(plan_.queueFloats, 0, INT32_MAX, "the floats of the queues") ||
        !take(stringBytes_, 0, int64_t(words_.size()) * 4, "the bytes of the string table") ||
        !take(word, 0, 0, "word 15 of the header")) {
      return false;
    }
    if (stringBytes_ % 4 != 0) return badAt(14, "the bytes of the string table", "a multiple of 4");
    if (phaseCount_ == 0) return badAt(8, "the number of phases", "at least 1");
    strings_ = words_.size() - size_t(stringBytes_) / 4;
    return true;
  }

  bool values() {
    if (!plan_.values.allocate(heap_, size_t(valueCount_), message_)) return false;
    for (Value& value : plan_.values) {
      if (!this->value(value)) return false;
    }
    return true;
  }

  bool value(Value& v) {
    int32_t storage, dtype, perImage;
    if (!take(storage, 0, 3, "a value's storage")) return false;
    v.storage = Storage(storage);
    int32_t lowest = v.storage == Storage::Queue ? 1 : 0;
    int32_t highest = v.storage == Storage::External ? plan_.externalCount - 1
                      : v.storage == Storage::Queue  ? segmentCount_ - 1
                                                     : 0;
    if (!take(v.index, lowest, highest, "a value's index") || !take(v.offset, 0, INT32_MAX, "a value's offset"))
      return false;
    if (v.offset % 16 != 0) return bad("a value's offset", "a multiple of 16 floats");
    if (v.storage == Storage::External && v.offset != 0) return bad("an external value's offset", "0");
    size_t offsetWord = at_ - 1;
    if (!take(dtype, 0, 1, "a value's dtype") || !take(perImage, 0, 1, "a value's perImage") ||
        !take(v.rank, 0, 4, "a value's rank")) {
      return false;
    }
    v.dtype = DType(dtype);
    v.perImage = perImage != 0;
    uint64_t elements = 1;
    for (int32_t i = 0; i < 4; i++) {
      if (!take(v.dims[i], 1, i < v.rank ? INT32_MAX : 1, "a value's dimension")) return false;
      elements *= uint64_t(v.dims[i]);
      if (elements > maxElements) return bad("a value's dimension", "a value of at most 2^28 elements");
    }
    v.elements = size_t(elements);
    if (!v.perImage && (v.storage == Storage::Arena || v.storage == Storage::Queue)) {
      return badAt(offsetWord + 2, "perImage of a value in the arena or a queue", "1");
    }
    return inside(v, offsetWord);
  }

  // Whether the value lies inside its storage.
  bool inside(const Value& v, size_t offsetWord) {
    uint64_t images = !v.perImage                   ? 1
                      : v.storage == Storage::Arena ? uint64_t(plan_.tile)
                      : v.storage == Storage::Queue ? 2 * uint64_t(plan_.tile)
                                                    : uint64_t(plan_.maxBatch);
    uint64_t limit = v.storage == Storage::Arena    ? uint64_t(plan_.arenaFloats)
                     : v.storage == Storage::Shared ? uint64_t(plan_.sharedFloats)
                     : v.storage == Storage::Queue  ? uint64_t(plan_.queueFloats)
                                                    : SIZE_MAX / 4;
    uint64_t end = uint64_t(v.offset) + images * v.elements;
    if (end <= limit) return true;
    message_.clear() << "word " << uint64_t(offsetWord) << ": Expected a value that ends within the " << limit
                     << " floats of its storage but received one that ends at " << end;
    return false;
  }

  bool nodes() {
    if (!plan_.nodes.allocate(heap_, size_t(nodeCount_), message_)) return false;
    for (Node& node : plan_.nodes) {
      if (!this->node(node)) return false;
    }
    return true;
  }

  bool node(Node& node) {
    int32_t name;
    if (!take(name, 0, stringBytes_ - 1, "a kernel's name") || !op(node, name) ||
        !take(node.inputCount, 0, 64, "a node's inputs") || !take(node.outputCount, 0, 64, "a node's outputs") ||
        !take(node.attributeCount, 0, 64, "a node's attributes")) {
      return false;
    }
    return valueList(node.inputs, node.inputCount, -1, "a node's input") &&
           valueList(node.outputs, node.outputCount, 0, "a node's output") &&
           wordList(node.attributes, node.attributeCount, "a node's attributes");
  }

  bool op(Node& node, int32_t name) {
    const char* table = reinterpret_cast<const char*>(words_.data() + strings_);
    int32_t end = name;
    while (end < stringBytes_ && table[end]) end++;
    if (end == stringBytes_) return bad("a kernel's name", "a string that ends within the string table");
    node.op = findOp(table + name);
    if (node.op) return true;
    message_.clear() << "word " << uint64_t(at_ - 1) << ": Expected the name of a kernel but received \""
                     << table + name << "\"";
    return false;
  }

  bool wordList(const int32_t*& list, int32_t count, const char* what) {
    if (remaining() < size_t(count)) return ends(what);
    list = words_.data() + at_;
    at_ += size_t(count);
    return true;
  }

  bool valueList(const int32_t*& list, int32_t count, int32_t lowest, const char* what) {
    if (remaining() < size_t(count)) return ends(what);
    list = words_.data() + at_;
    int32_t ignored;
    for (int32_t i = 0; i < count; i++) {
      if (!take(ignored, lowest, valueCount_ - 1, what)) return false;
    }
    return true;
  }

  bool range(NodeRange& range, int32_t& next, const char* what) {
    if (!take(range.first, 0, nodeCount_, what) || !take(range.count, 0, nodeCount_, what)) return false;
    if (range.count == 0) {
      range.first = next;
      return true;
    }
    if (range.first != next) {
      message_.clear() << "word " << uint64_t(at_ - 2) << ": Expected node " << next
                       << ", the first that no phase has, for " << what << " but received " << range.first;
      return false;
    }
    if (range.count > nodeCount_ - range.first) return bad(what, "nodes that exist");
    next = range.end();
    return true;
  }

  bool phases() {
    if (!plan_.phases.allocate(heap_, size_t(phaseCount_), message_)) return false;
    int32_t next = 0;
    for (Phase& phase : plan_.phases) {
      int32_t kind;
      if (!take(kind, 0, 2, "a phase's kind")) return false;
      phase.kind = PhaseKind(kind);
      if (phase.kind == PhaseKind::Parameters) {
        if (&phase != &plan_.phases[size_t(plan_.parameterPhases)])
          return bad("a phase's kind", "parameter phases before all others");
        plan_.parameterPhases++;
      }
      if (!range(phase.loads, next, "a phase's loads") || !range(phase.body, next, "a phase's body") ||
          !range(phase.stores, next, "a phase's stores")) {
        return false;
      }
      if (phase.kind != PhaseKind::Tiled && phase.loads.count + phase.stores.count > 0) {
        return bad("the loads and stores of a parameter or whole phase", "none");
      }
    }
    if (next != nodeCount_) return badAt(7, "the number of nodes", "as many nodes as the phases have");
    if (plan_.parameterPhases == phaseCount_)
      return badAt(8, "the number of phases", "one that is not a parameter phase");
    return true;
  }

  bool carries() {
    if (!plan_.carries.allocate(heap_, size_t(carryCount_), message_)) return false;
    for (Carry& carry : plan_.carries) {
      if (!take(carry.input, 0, valueCount_ - 1, "a carry's input") ||
          !take(carry.output, 0, valueCount_ - 1, "a carry's output"))
        return false;
    }
    return true;
  }

  bool segments() {
    if (!plan_.segments.allocate(heap_, size_t(segmentCount_), message_)) return false;
    for (Segment& segment : plan_.segments) {
      const int32_t* moves;
      if (!take(segment.phase, 0, phaseCount_ - 1, "a segment's phase") ||
          !take(segment.entropy, 0, valueCount_ - 1, "a segment's entropy") ||
          !take(segment.probabilities, 0, valueCount_ - 1, "a segment's probabilities") ||
          !take(segment.exit, INT32_MIN, INT32_MAX, "a segment's exit") ||
          !take(segment.moveCount, 0, int64_t(words_.size() / moveWords), "a segment's moves") ||
          !valueList(moves, segment.moveCount * moveWords, 0, "a segment's move")) {
        return false;
      }
      segment.moves = reinterpret_cast<const Move*>(moves);
    }
    return true;
  }

  bool strings() {
    if (at_ == strings_) return true;
    message_.clear() << "word 14: Expected a string table of " << uint64_t(remaining() * 4) << " bytes but received "
                     << stringBytes_;
    return false;
  }

  Heap& heap_;
  Plan& plan_;
  Message& message_;
  const Array<int32_t>& words_;
  size_t at_ = 0;
  size_t strings_ = 0;  // the word where the string table starts
  int32_t valueCount_ = 0, nodeCount_ = 0, phaseCount_ = 0, carryCount_ = 0, segmentCount_ = 0, stringBytes_ = 0;
};

}  // namespace

bool decodePlan(Heap& heap, const int32_t* words, size_t count, Plan& plan, Message& message) {
  // The plan keeps the words: nodes and segments point into them.
  if (!plan.words.reserve(heap, count, message)) return false;
  copyBytes(plan.words.data(), words, count * sizeof(int32_t));
  return Decoder(heap, plan, message).decode();
}

}  // namespace rdi
