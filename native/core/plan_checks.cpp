// What nodes, phases, carries and segments may do with values: the rules that keep workers out of each other's memory
// and layouts apart.
#include "op.h"
#include "plan_decoder.h"

namespace rdi {
namespace {

class Checker {
 public:
  Checker(Plan& plan, Message& message) : plan_(plan), message_(message) {}

  bool check(Heap& heap) {
    if (!writtenIn_.allocate(heap, plan_.values.size(), message_) ||
        !segmentOf_.allocate(heap, plan_.phases.size(), message_))
      return false;
    for (size_t i = 0; i < plan_.nodes.size(); i++) {
      Node& node = plan_.nodes[i];
      NodeSetup setup(plan_, node, int32_t(i), message_);
      if (!node.op->check(setup)) return false;
    }
    if (!buffersHoldOneKind(heap) || !assignSegments()) return false;
    for (size_t i = 0; i < plan_.phases.size(); i++) {
      if (!phase(int32_t(i))) return false;
      if (segmentOf_[i] != 0 && !segment(segmentOf_[i] - 1)) return false;
    }
    if (!repetition()) return false;
    for (const Carry& carry : plan_.carries) {
      if (!this->carry(carry)) return false;
    }
    return queuesAreFilled();
  }

 private:
  const Value& value(int32_t i) const { return plan_.values[size_t(i)]; }

  bool nodeFails(int32_t node, int32_t valueIndex, const char* expected, const char* received) {
    message_.clear() << "[" << plan_.nodes[size_t(node)].op->name << "] node " << node << ": Expected " << expected
                     << " but received ";
    if (valueIndex >= 0) {
      message_ << "value " << valueIndex << " ";
      describe(message_, value(valueIndex));
      message_ << ", ";
    }
    message_ << received;
    return false;
  }

  bool fails(const char* part, int32_t index, const char* expected) {
    message_.clear() << part << " " << index << ": Expected " << expected;
    return false;
  }

  // Rows of an external buffer are those of all its values, so that workers at different tiles keep apart there.
  bool buffersHoldOneKind(Heap& heap) {
    Array<int32_t> firstIn;  // 1 + the first value of each buffer
    if (!firstIn.allocate(heap, size_t(plan_.externalCount), message_)) return false;
    for (size_t i = 0; i < plan_.values.size(); i++) {
      const Value& v = plan_.values[i];
      if (v.storage != Storage::External) continue;
      int32_t& first = firstIn[size_t(v.index)];
      if (first == 0) first = int32_t(i) + 1;
      if (!sameShape(v, value(first - 1)) || v.dtype != value(first - 1).dtype)
        return fails("value", int32_t(i), "the shape and type of the others in its external buffer");
    }
    return true;
  }

  // In an adaptive plan each segment has a tiled phase of its own, and there is nothing else to run.
  bool assignSegments() {
    for (size_t i = 0; i < plan_.segments.size(); i++) {
      int32_t& owner = segmentOf_[size_t(plan_.segments[i].phase)];
      if (owner != 0) return fails("segment", int32_t(i), "a phase of its own");
      owner = int32_t(i) + 1;
    }
    if (!plan_.adaptive()) return true;
    for (size_t i = 0; i < plan_.phases.size(); i++) {
      bool parameters = plan_.phases[i].kind == PhaseKind::Parameters;
      if (parameters == (segmentOf_[i] != 0) || plan_.phases[i].kind == PhaseKind::Whole) {
        return fails("phase", int32_t(i),
                     "every tiled phase of an adaptive plan to belong to a segment, and no whole phases");
      }
    }
    return true;
  }

  bool phase(int32_t index) {
    Phase& phase = plan_.phases[size_t(index)];
    const NodeRange ranges[] = {phase.loads, phase.body, phase.stores};
    for (const NodeRange& range : ranges) {
      for (int32_t i = range.first; i < range.end(); i++) {
        const Node& node = plan_.nodes[size_t(i)];
        if (node.op->reduces) {
          if (phase.kind != PhaseKind::Tiled || &range != &ranges[1] || segmentOf_[size_t(index)] != 0) {
            return nodeFails(i, -1, "reductions in the body of a tiled phase only, and none in a segment",
                             "one elsewhere");
          }
          phase.reduces = true;
        }
        if (node.op->collective) {
          if (phase.kind != PhaseKind::Whole) {
            return nodeFails(i, -1, "sums over a group in whole phases only, which every run has", "one elsewhere");
          }
          phase.collective = plan_.collective = true;
        }
        for (int32_t k = 0; k < node.inputCount; k++) {
          if (node.inputs[k] >= 0 && !input(index, i, node.inputs[k])) return false;
        }
        if (!output(index, i, node.outputs[0]) || !integersStay(i)) return false;
      }
    }
    return phase.kind != PhaseKind::Tiled || sharedRowsAreApart(phase);
  }

  // Workers run a tiled phase at different tiles, so what it writes into the shared arena must not lie where it also
  // reads or writes something else, even if one is dead before the other lives. Reductions are written after all tiles.
  bool sharedRowsAreApart(const Phase& phase) {
    for (int32_t i = phase.loads.first; i < phase.stores.end(); i++) {
      int32_t written = plan_.nodes[size_t(i)].outputs[0];
      if (value(written).storage != Storage::Shared || !value(written).perImage) continue;
      for (int32_t k = phase.loads.first; k < phase.stores.end(); k++) {
        const Node& other = plan_.nodes[size_t(k)];
        bool apart = other.op->reduces || rowsAreApart(value(written), value(other.outputs[0]));
        for (int32_t j = 0; j < other.inputCount; j++) {
          apart = apart && (other.inputs[j] < 0 || rowsAreApart(value(written), value(other.inputs[j])));
        }
        if (!apart) {
          return nodeFails(i, written, "a shared output apart from all other shared values of its tiled phase",
                           "which lies over another");
        }
      }
    }
    return true;
  }

  // A value in the very place of another keeps to the rows of its tile's images.
  bool rowsAreApart(const Value& written, const Value& other) const {
    bool samePlace = other.perImage && other.offset == written.offset && other.elements == written.elements;
    return other.storage != Storage::Shared || samePlace || !overlap(written, other);
  }

  // What holds for inputs and outputs alike.
  bool operand(int32_t phaseIndex, int32_t node, int32_t index, bool convertsLayout) {
    const Value& v = value(index);
    int32_t segment = segmentOf_[size_t(phaseIndex)] - 1;
    if (v.perImage && plan_.phases[size_t(phaseIndex)].kind != PhaseKind::Tiled) {
      return nodeFails(node, index, "whole values in a parameter or whole phase", "which is per-image");
    }
    if (v.storage == Storage::External && v.hasLayout() && !convertsLayout) {
      return nodeFails(node, index, "only load and store to touch external images (NCHW)", "which is external");
    }
    if (v.storage == Storage::External && v.perImage && segment > 0) {
      return nodeFails(node, index, "only the first segment to touch external per-image values", "which is external");
    }
    if (v.storage == Storage::Shared && v.perImage && segment >= 0) {
      return nodeFails(node, index, "no shared per-image values in a segment", "which is shared");
    }
    return true;
  }

  bool input(int32_t phaseIndex, int32_t node, int32_t index) {
    const Value& v = value(index);
    int32_t written = writtenIn_[size_t(index)] - 1;
    if (!operand(phaseIndex, node, index, sameText(plan_.nodes[size_t(node)].op->name, "load"))) return false;
    switch (v.storage) {
      case Storage::External:
        return true;
      case Storage::Arena:
        return written == phaseIndex ||
               nodeFails(node, index, "an input that an earlier node of the phase wrote", "which none did");
      case Storage::Shared:
        // Whole values that a tiled phase writes are sums over all images, and exist only after the phase.
        if (!v.perImage && written == phaseIndex && plan_.phases[size_t(phaseIndex)].kind == PhaseKind::Tiled) {
          return nodeFails(node, index, "reductions to be read after their phase", "which the same phase reduces");
        }
        return written >= 0 || nodeFails(node, index, "an input that an earlier node wrote", "which none did");
      case Storage::Queue:
        return segmentOf_[size_t(phaseIndex)] - 1 == v.index ||
               nodeFails(node, index, "a value from the segment's own queue", "which is in another's");
    }
    return true;
  }

  bool output(int32_t phaseIndex, int32_t node, int32_t index) {
    const Value& v = value(index);
    const Op& op = *plan_.nodes[size_t(node)].op;
    if (!operand(phaseIndex, node, index, sameText(op.name, "store"))) return false;
    if (v.storage == Storage::Queue)
      return nodeFails(node, index, "outputs outside the queues, which only moves fill", "which is in one");
    if (plan_.phases[size_t(phaseIndex)].kind == PhaseKind::Parameters && v.storage == Storage::External) {
      return nodeFails(node, index, "outputs of parameter phases, which do not run every time, in the shared arena",
                       "which is external");
    }
    bool tiled = plan_.phases[size_t(phaseIndex)].kind == PhaseKind::Tiled;
    if (tiled && v.perImage == op.reduces) {
      return nodeFails(node, index,
                       "a whole output of a reduction, and per-image outputs of other nodes, in a tiled phase",
                       "which is not");
    }
    writtenIn_[size_t(index)] = phaseIndex + 1;
    return true;
  }

  // Integers are indices, which a kernel checks before it trusts them: its output must not overwrite those of images to
  // come. In the very same place it writes over those of images that are done.
  bool integersStay(int32_t index) {
    const Node& node = plan_.nodes[size_t(index)];
    const Value& out = value(node.outputs[0]);
    for (int32_t k = 0; k < node.inputCount; k++) {
      if (node.inputs[k] < 0) continue;
      const Value& in = value(node.inputs[k]);
      bool inArena = in.storage == Storage::Arena && out.storage == Storage::Arena;
      bool samePlace = in.offset == out.offset && in.elements == out.elements;
      if (in.dtype == DType::I32 && inArena && overlap(in, out) && !samePlace)
        return nodeFails(index, node.outputs[0], "an output apart from the integers that the node reads",
                         "which lies over them");
    }
    return true;
  }

  // One tiled phase without reductions needs no barriers, so that its repetitions can follow each other inside the
  // tile.
  bool repetition() {
    const Phase& last = plan_.phases[plan_.phases.size() - 1];
    bool alone = plan_.phases.size() == size_t(plan_.parameterPhases) + 1;
    plan_.repeatsInside = alone && last.kind == PhaseKind::Tiled && !last.reduces && !plan_.adaptive();
    return plan_.repeatsInside || plan_.carries.size() == 0 ||
           fails("carry", 0,
                 "a plan of one tiled phase without reductions; elsewhere, bind input and output to one buffer");
  }

  bool carry(const Carry& carry) {
    int32_t index = int32_t(&carry - plan_.carries.begin());
    const Value &in = value(carry.input), &out = value(carry.output);
    if (in.storage != Storage::Arena || out.storage != Storage::Arena || !sameShape(in, out) || in.dtype != out.dtype) {
      return fails("carry", index, "an input and an output in the arena, of the same shape and type");
    }
    // Carries are copied one after another, so none may overwrite what another has yet to read.
    for (const Carry& other : plan_.carries) {
      if (&other != &carry && (overlap(in, value(other.output)) || overlap(in, value(other.input)))) {
        return fails("carry", index, "an input apart from the other carries' values");
      }
    }
    return true;
  }

  uint64_t end(const Value& v) const {
    uint64_t images = !v.perImage ? 1 : v.storage == Storage::Arena ? uint64_t(plan_.tile) : uint64_t(plan_.maxBatch);
    return uint64_t(v.offset) + images * v.elements;
  }
  // Of two values in the same storage.
  bool overlap(const Value& a, const Value& b) const {
    return uint64_t(a.offset) < end(b) && uint64_t(b.offset) < end(a);
  }

  bool segment(int32_t index) {
    const Segment& segment = plan_.segments[size_t(index)];
    const Value &entropy = value(segment.entropy), &probabilities = value(segment.probabilities);
    auto inPhase = [&](int32_t i) {
      return value(i).storage == Storage::Arena && writtenIn_[size_t(i)] - 1 == segment.phase;
    };
    if (!inPhase(segment.entropy) || !isImageScalar(entropy) || entropy.dtype != DType::F32) {
      return fails("segment", index, "an entropy [N] in the arena that the segment's phase writes");
    }
    if (!inPhase(segment.probabilities) || !isMatrixRow(probabilities) || probabilities.dtype != DType::F32 ||
        !sameShape(probabilities, value(plan_.segments[0].probabilities))) {
      return fails("segment", index,
                   "probabilities [N,classes] in the arena that the segment's phase writes, of as many classes as the "
                   "first segment's");
    }
    for (int32_t i = 0; i < segment.moveCount; i++) {
      const Move& move = segment.moves[i];
      const Value &source = value(move.source), &destination = value(move.destination);
      bool ownQueue = source.storage == Storage::Queue && source.index == index;
      if (!(ownQueue || inPhase(move.source)) || destination.storage != Storage::Queue ||
          destination.index != index + 1 || !sameShape(source, destination) || source.dtype != destination.dtype) {
        return fails("segment", index,
                     "moves from values that its phase writes or its queue holds to values of the same shape and type "
                     "in the next queue");
      }
      if (++writtenIn_[size_t(move.destination)] != 1)
        return fails("segment", index, "one move into each value of the next queue");
    }
    return true;
  }

  bool queuesAreFilled() {
    for (size_t i = 0; i < plan_.values.size(); i++) {
      if (plan_.values[i].storage == Storage::Queue && writtenIn_[i] == 0)
        return fails("value", int32_t(i), "a move that fills this queue value");
    }
    return true;
  }

  Plan& plan_;
  Message& message_;
  Array<int32_t>
      writtenIn_;  // 1 + the phase that last wrote each value, 0 if none has; for queue values, the moves into it
  Array<int32_t> segmentOf_;  // 1 + the segment of each phase, 0 if none
};

}  // namespace

bool checkPlan(Heap& heap, Plan& plan, Message& message) { return Checker(plan, message).check(heap); }

}  // namespace rdi
