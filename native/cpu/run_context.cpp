#include "run_context.h"

namespace rdi {
namespace {

// Whole values of fewer elements are not worth sharing between workers.
constexpr size_t splitElements = 16384;

int32_t balancedTile(const Plan& plan, int32_t workers, int32_t batch) {
  int32_t tiles = (batch + plan.tile - 1) / plan.tile;
  tiles = (tiles + workers - 1) / workers * workers;
  return (batch + tiles - 1) / tiles;
}

}  // namespace

RunContext::RunContext(Plan& plan, ThreadPool& pool, const RunArguments& arguments)
    : plan(plan),
      pool(pool),
      batch(arguments.batch),
      buffers(arguments.buffers),
      tile(balancedTile(plan, pool.workers(), arguments.batch)),
      cancel_(arguments.cancel),
      stopped_(arguments.stopped) {}

void RunContext::bind(WorkerMemory& memory, int32_t firstImage, int32_t firstQueued) {
  for (size_t i = 0; i < plan.values.size(); i++) {
    const Value& value = plan.values[i];
    size_t image = value.perImage ? size_t(firstImage) * value.elements : 0;
    switch (value.storage) {
      case Storage::External:
        memory.values[i] = static_cast<float*>(buffers[value.index]) + image;
        break;
      case Storage::Arena:
        memory.values[i] = memory.arena + value.offset;
        break;
      case Storage::Shared:
        memory.values[i] = plan.shared.data() + value.offset + image;
        break;
      case Storage::Queue:
        memory.values[i] = memory.queues + value.offset + size_t(firstQueued) * value.elements;
        break;
    }
  }
}

NodeRun RunContext::nodeRun(const WorkerMemory& memory, const Node& node, int32_t images) {
  const Value& output = plan.values[size_t(node.outputs[0])];
  return {.plan = plan,
          .node = node,
          .values = memory.values,
          .images = images,
          .batch = batch,
          .scratch = memory.scratch,
          .status = status_,
          .begin = 0,
          .end = output.elements * (output.perImage ? size_t(images) : 1),
          .share = {}};
}

void RunContext::runNodes(WorkerMemory& memory, const NodeRange& range, int32_t images) {
  for (int32_t i = range.first; i < range.end(); i++) {
    const Node& node = plan.nodes[size_t(i)];
    NodeRun run = nodeRun(memory, node, images);
    if (node.kernel->reduces()) {
      node.kernel->accumulate(run, memory.accumulators + node.accumulatorOffset);
    } else {
      node.kernel->run(run);
    }
  }
}

void RunContext::leadNodes(const NodeRange& range, int32_t images) {
  struct Lead {
    RunContext& context;
    NodeRun run;
  };
  for (int32_t i = range.first; i < range.end(); i++) {
    const Node& node = plan.nodes[size_t(i)];
    Lead lead = {*this, nodeRun(memory(0), node, images)};
    if (!node.kernel->shares) {
      node.kernel->run(lead.run);
      continue;
    }
    team.lead(
        [](void* self, int32_t part, int32_t worker) {
          const Lead& lead = *static_cast<const Lead*>(self);
          NodeRun run = lead.run;
          run.scratch = lead.context.memory(worker).scratch;
          run.share = {part, lead.context.pool.workers()};
          run.node.kernel->run(run);
        },
        &lead, pool.workers());
  }
}

// Workers share large nodes, with barriers around each; runs of small ones are left to worker 0.
void RunContext::runWhole(int32_t worker, const Phase& phase) {
  enum { Nothing, Alone, Shared } since = Nothing;  // what has run since the last barrier
  for (int32_t i = phase.body.first; i < phase.body.end(); i++) {
    const Node& node = plan.nodes[size_t(i)];
    NodeRun run = nodeRun(memory(worker), node, 1);
    bool share = pool.workers() > 1 && node.kernel->splits && run.end >= splitElements;
    if (since == Shared || (since == Alone && share)) pool.barrier();
    since = share ? Shared : Alone;
    if (share) {
      size_t lines = (run.end + 15) / 16, workers = size_t(pool.workers()), total = run.end;
      run.begin = lines * size_t(worker) / workers * 16;
      run.end = lines * (size_t(worker) + 1) / workers * 16;
      if (run.end > total) run.end = total;
    }
    if (share || worker == 0) node.kernel->run(run);
  }
}

void RunContext::runPacks(int32_t worker, int32_t phase) {
  bool any = false;
  for (size_t i = 0; i < plan.packCount; i++) any = any || plan.packs[i].phase == phase;
  if (!any) return;
  for (size_t i = size_t(pool.takeTask()); i < plan.packCount; i = size_t(pool.takeTask())) {
    if (plan.packs[i].phase != phase) continue;
    const Node& node = plan.nodes[size_t(plan.packs[i].node)];
    node.kernel->pack(nodeRun(memory(worker), node, 0), node.packed);
  }
  pool.barrier();
}

void RunContext::refresh(int32_t worker) {
  for (int32_t i = 0; i < plan.parameterPhases; i++) {
    runWhole(worker, plan.phases[size_t(i)]);
    pool.barrier();
  }
  runPacks(worker, Pack::withParameters);
}

}  // namespace rdi
