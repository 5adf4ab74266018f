#include <utility>

#include "run_context.h"

namespace rdi::cuda {

RunContext::RunContext(Plan& plan, PlanMemory& memory, Stream& stream, const Device& device,
                       const RunArguments& arguments, std::initializer_list<const void*> more)
    : plan(plan),
      memory(memory),
      stream(stream),
      batch(arguments.batch),
      buffers(arguments.buffers),
      device_(device),
      arguments_(arguments) {
  std::vector<const void*> addresses(buffers, buffers + plan.externalCount);
  addresses.insert(addresses.end(), more);
  memory.sections.choose(batch, std::move(addresses));
  stream.zero(memory.fault, sizeof(Fault));
}

void RunContext::bind(int32_t firstImage) {
  for (size_t i = 0; i < plan.values.size(); i++) {
    const Value& value = plan.values[i];
    const size_t image = value.perImage ? size_t(firstImage) * value.elements : 0;
    switch (value.storage) {
      case Storage::External:
        memory.values[i] = static_cast<float*>(buffers[value.index]) + image;
        break;
      case Storage::Arena:
        memory.values[i] = memory.arena + value.offset;
        break;
      case Storage::Shared:
        memory.values[i] = memory.shared + value.offset + image;
        break;
      case Storage::Queue:
        memory.values[i] = memory.queues + value.offset;
        break;
    }
  }
}

NodeRun RunContext::nodeRun(const Node& node, const Images& images) {
  return {plan,
          node,
          memory.values.data(),
          images,
          batch,
          arguments_.total,
          arguments_.communicator,
          memory.scratch,
          memory.accumulators + node.accumulatorOffset,
          memory.fault,
          stream,
          device_};
}

void RunContext::runNodes(const NodeRange& range, const Images& images) {
  for (int32_t i = range.first; i < range.end(); i++) {
    const Node& node = plan.nodes[size_t(i)];
    const NodeRun run = nodeRun(node, images);
    if (node.op->reduces) {
      node.kernel->accumulate(run);
    } else {
      node.kernel->run(run);
    }
  }
}

void RunContext::runPacks(int32_t phase) {
  for (size_t i = 0; i < plan.packCount; i++) {
    if (plan.packs[i].phase != phase) continue;
    const Node& node = plan.nodes[size_t(plan.packs[i].node)];
    node.kernel->pack(nodeRun(node, {1, nullptr}), node.packed);
  }
}

void RunContext::refresh() {
  for (int32_t i = 0; i < plan.parameterPhases; i++) runNodes(plan.phases[size_t(i)].body, {1, nullptr});
  runPacks(Pack::withParameters);
}

}  // namespace rdi::cuda
