// Plans written word by word from docs/plan-format.md, for the native tests; test/backends/plan-builder.ts is its like.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace test {

enum class Kind : int32_t { Parameters, Tiled, Whole };
enum class Rows { Whole, PerImage };

struct PlanNode {
  std::string kernel;
  std::vector<int32_t> inputs;
  int32_t output;
  std::vector<int32_t> attributes = {};
};

inline int32_t floatBits(float value) {
  int32_t bits;
  memcpy(&bits, &value, sizeof bits);
  return bits;
}

class PlanBuilder {
 public:
  using Dims = std::vector<int32_t>;
  using Nodes = std::vector<PlanNode>;

  PlanBuilder(int32_t tile, int32_t maxBatch) : tile_(tile), maxBatch_(maxBatch) {}

  // Each returns the value's number. An external value has a new buffer; every other a place of its own.
  int32_t external(const Dims& dims, Rows rows = Rows::PerImage, bool i32 = false) {
    return value(0, buffers_++, 0, dims, rows, i32);
  }
  int32_t arena(const Dims& dims, bool i32 = false) {
    return value(1, 0, place(arenaFloats_, size_t(tile_) * product(dims)), dims, Rows::PerImage, i32);
  }
  int32_t shared(const Dims& dims, Rows rows) {
    size_t images = rows == Rows::PerImage ? size_t(maxBatch_) : 1;
    return value(2, 0, place(sharedFloats_, images * product(dims)), dims, rows, false);
  }
  int32_t queue(int32_t segment, const Dims& dims, bool i32 = false) {
    return value(3, segment, place(queueFloats_, 2 * size_t(tile_) * product(dims)), dims, Rows::PerImage, i32);
  }

  // Returns the phase's number.
  int32_t phase(Kind kind, const Nodes& body, const Nodes& loads = {}, const Nodes& stores = {}) {
    phases_.push_back(int32_t(kind));
    for (const Nodes* nodes : {&loads, &body, &stores}) {
      append(phases_, {int32_t(nodes_.size()), int32_t(nodes->size())});
      nodes_.insert(nodes_.end(), nodes->begin(), nodes->end());
    }
    return phaseCount_++;
  }
  void carry(int32_t input, int32_t output) { append(carries_, {input, output}); }
  // `moves`: pairs of a source and a value of the next queue.
  void segment(int32_t phase, int32_t entropy, int32_t probabilities, int32_t exit, const std::vector<int32_t>& moves) {
    append(segments_, {phase, entropy, probabilities, exit, int32_t(moves.size() / 2)});
    append(segments_, moves);
    segmentCount_++;
  }

  std::vector<int32_t> words() const {
    std::string strings;
    std::vector<int32_t> nodes;
    for (const PlanNode& node : nodes_) {
      append(nodes, {int32_t(strings.size()), int32_t(node.inputs.size()), 1, int32_t(node.attributes.size())});
      append(nodes, node.inputs);
      nodes.push_back(node.output);
      append(nodes, node.attributes);
      strings += node.kernel + '\0';
    }
    strings.resize((strings.size() + 3) / 4 * 4);
    std::vector<int32_t> text(strings.size() / 4);
    if (!text.empty()) memcpy(text.data(), strings.data(), strings.size());

    std::vector<int32_t> body;
    for (const auto& part : {values_, nodes, phases_, carries_, segments_, text}) append(body, part);
    std::vector<int32_t> words = {0x31494452,
                                  1,
                                  int32_t(16 + body.size()),
                                  tile_,
                                  maxBatch_,
                                  buffers_,
                                  int32_t(values_.size() / 10),
                                  int32_t(nodes_.size()),
                                  phaseCount_,
                                  int32_t(carries_.size() / 2),
                                  arenaFloats_,
                                  sharedFloats_,
                                  segmentCount_,
                                  queueFloats_,
                                  int32_t(strings.size()),
                                  0};
    append(words, body);
    return words;
  }

 private:
  static void append(std::vector<int32_t>& words, const std::vector<int32_t>& more) {
    words.insert(words.end(), more.begin(), more.end());
  }
  static size_t product(const Dims& dims) {
    size_t total = 1;
    for (int32_t dim : dims) total *= size_t(dim);
    return total;
  }
  static int32_t place(int32_t& used, size_t floats) {
    const int32_t offset = used;
    used += int32_t((floats + 15) / 16 * 16);
    return offset;
  }
  int32_t value(int32_t storage, int32_t index, int32_t offset, const Dims& dims, Rows rows, bool i32) {
    append(values_, {storage, index, offset, i32, rows == Rows::PerImage, int32_t(dims.size())});
    for (size_t i = 0; i < 4; i++) values_.push_back(i < dims.size() ? dims[i] : 1);
    return int32_t(values_.size() / 10) - 1;
  }

  int32_t tile_, maxBatch_;
  int32_t buffers_ = 0, phaseCount_ = 0, segmentCount_ = 0;
  int32_t arenaFloats_ = 0, sharedFloats_ = 0, queueFloats_ = 0;
  Nodes nodes_;
  std::vector<int32_t> values_, phases_, carries_, segments_;
};

}  // namespace test
