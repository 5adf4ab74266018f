#include "plan_packs.h"

namespace rdi {
namespace {

bool alike(const Node& a, const Node& b) {
  return a.op == b.op && a.inputs[1] == b.inputs[1] && a.packedFloats == b.packedFloats &&
         sameBytes(a.state, b.state, sizeof(a.state));
}

// Finds which weights are packed, and when. Nodes that want the same weights in the same form share them.
class PackPlanner {
 public:
  PackPlanner(Heap& heap, Plan& plan, Message& message) : heap_(heap), plan_(plan), message_(message) {}

  bool plan() {
    if (!plan_.packs.allocate(heap_, plan_.nodes.size(), message_) ||
        !writtenIn_.allocate(heap_, plan_.values.size(), message_)) {
      return false;
    }
    for (size_t i = 0; i < plan_.phases.size(); i++) {
      const Phase& phase = plan_.phases[i];
      for (int32_t node = phase.loads.first; node < phase.stores.end(); node++) visit(int32_t(i), node);
    }
    return true;
  }

 private:
  void visit(int32_t phase, int32_t index) {
    Node& node = plan_.nodes[size_t(index)];
    writtenIn_[size_t(node.outputs[0])] = phase;
    if (node.packedFloats == 0) return;
    int32_t before = madeWhileRunning(node.inputs[1]) ? phase : Pack::withParameters;
    size_t pack = 0;
    while (pack < plan_.packCount &&
           !(plan_.packs[pack].phase == before && alike(plan_.nodes[size_t(plan_.packs[pack].node)], node)))
      pack++;
    if (pack == plan_.packCount) {
      plan_.packs[plan_.packCount++] = {index, before, size_t(plan_.packFloats)};
      plan_.packFloats += wholeLines(node.packedFloats);
    }
    node.pack = int32_t(pack);
  }

  bool madeWhileRunning(int32_t weight) const {
    return plan_.values[size_t(weight)].storage == Storage::Shared &&
           writtenIn_[size_t(weight)] >= plan_.parameterPhases;
  }

  Heap& heap_;
  Plan& plan_;
  Message& message_;
  Array<int32_t> writtenIn_;  // the phase that wrote each value
};

// Lists the external buffers that what is cached was computed from, and those that a run writes whole values to.
bool listBuffers(Heap& heap, Plan& plan, Message& message) {
  if (!plan.cachedFrom.allocate(heap, size_t(plan.externalCount), message) ||
      !plan.written.allocate(heap, size_t(plan.externalCount), message)) {
    return false;
  }
  auto mark = [&](Array<bool>& list, int32_t index) {
    const Value& value = plan.values[size_t(index)];
    if (value.storage == Storage::External && !value.perImage) list[size_t(value.index)] = true;
  };
  for (size_t p = 0; p < plan.phases.size(); p++) {
    const Phase& phase = plan.phases[p];
    for (int32_t i = phase.loads.first; i < phase.stores.end(); i++) {
      const Node& node = plan.nodes[size_t(i)];
      bool parameters = phase.kind == PhaseKind::Parameters;
      for (int32_t k = 0; k < node.inputCount; k++) {
        if (node.inputs[k] >= 0 && (parameters || (k == 1 && node.packedFloats > 0)))
          mark(plan.cachedFrom, node.inputs[k]);
      }
      if (!parameters) mark(plan.written, node.outputs[0]);
    }
  }
  return true;
}

}  // namespace

bool planPacks(Heap& heap, Plan& plan, Message& message) {
  return PackPlanner(heap, plan, message).plan() && listBuffers(heap, plan, message);
}

}  // namespace rdi
