// The C ABI of core/rdi.h on the CPU.
#include "adaptive_run.h"
#include "core/placement_new.h"
#include "core/plan_decoder.h"
#include "core/rdi.h"
#include "core/run_checks.h"
#include "instruction_set.h"
#include "ordinary_run.h"
#include "plan_memory.h"

struct rdi_engine {
  explicit rdi_engine(const rdi::InstructionSet& set) : isa(set) {}

  const rdi::InstructionSet& isa;
  rdi::Heap heap;
  size_t ownBytes = 0;  // what the engine itself holds of the heap
  rdi::ThreadPool pool;
  rdi::Message error;
  int32_t stopped = 0;
  rdi_plan* firstPlan = nullptr;
};

struct rdi_plan {
  rdi_engine* engine;
  rdi_plan* previous = nullptr;
  rdi_plan* next = nullptr;
  size_t bytes = 0;
  bool cached = false;  // whether what is cached from the parameters is that of `version`
  int32_t version = 0;
  rdi::Message error = {};
  rdi::Plan plan = {};
};

namespace {

using namespace rdi;

// Why the last engine could not be created. Engines may be created on several threads at once.
const char* creationError = "";

rdi_engine* cannotCreate(const char* why) {
  __atomic_store_n(&creationError, why, __ATOMIC_RELAXED);
  return nullptr;
}

int32_t finishRun(rdi_plan* plan, const RunContext& run, int32_t version) {
  plan->cached = true;
  plan->version = version;
  if (run.status().failed()) {
    plan->error.clear() << run.status().message().text();
    return RDI_BAD_ARGUMENT;
  }
  if (!run.cancelled()) return RDI_OK;
  plan->error.clear() << "The run was cancelled";
  return RDI_CANCELLED;
}

bool isStale(const rdi_plan* plan, int32_t version) { return !plan->cached || plan->version != version; }

void unlink(rdi_plan* plan) {
  (plan->previous ? plan->previous->next : plan->engine->firstPlan) = plan->next;
  if (plan->next) plan->next->previous = plan->previous;
}

}  // namespace

extern "C" {

int32_t rdi_isa_count(void) { return int32_t(instructionSetCount()); }

const char* rdi_isa_name(int32_t index) {
  return index >= 0 && index < rdi_isa_count() ? instructionSet(size_t(index)).name : nullptr;
}

int32_t rdi_isa_supported(int32_t index) {
  return index >= 0 && index < rdi_isa_count() && instructionSet(size_t(index)).supported();
}

int32_t rdi_device_count(void) { return 1; }

const char* rdi_device_name(int32_t device) { return device == 0 ? "cpu" : nullptr; }

size_t rdi_device_bytes(int32_t) { return 0; }

rdi_engine* rdi_engine_create(int32_t workers, const char* isa, int32_t device, int32_t precision) {
  constexpr const char* noRoom =
      "Expected memory and threads for the workers of an engine but received less than they need";
  if (device != 0) return cannotCreate("Expected 0 for device, the processor, but received another");
  if (precision != RDI_FP32) return cannotCreate("Expected fp32 for precision on the processor but received another");
  const InstructionSet* set = chooseInstructionSet(isa);
  if (!set) return cannotCreate("Expected an instruction set of this machine but received another");
  void* memory = systemAllocate(sizeof(rdi_engine));
  if (!memory) return cannotCreate(noRoom);
  auto engine = new (memory) rdi_engine(*set);
  if (engine->pool.start(engine->heap, workers, engine->error)) {
    engine->ownBytes = engine->heap.liveBytes();
    return engine;
  }
  engine->~rdi_engine();
  systemFree(memory);
  return cannotCreate(noRoom);
}

void rdi_engine_stop(rdi_engine* engine) { __atomic_store_n(&engine->stopped, 1, __ATOMIC_RELAXED); }

void rdi_engine_destroy(rdi_engine* engine) {
  if (!engine) return;
  engine->pool.stop();
  while (engine->firstPlan) rdi_plan_destroy(engine->firstPlan);
  engine->~rdi_engine();
  systemFree(engine);
}

const char* rdi_engine_isa(const rdi_engine* engine) { return engine->isa.name; }

void rdi_worker_main(rdi_engine* engine, int32_t worker) { engine->pool.workerMain(worker); }

void* rdi_worker_stack(rdi_engine* engine, int32_t worker) { return engine->pool.stackTop(worker); }

void* rdi_alloc(rdi_engine* engine, size_t bytes) { return engine->heap.allocate(bytes, engine->error); }

void rdi_free(rdi_engine* engine, void* memory) { engine->heap.release(memory); }

int32_t rdi_write(rdi_engine*, void* to, const void* from, size_t bytes) {
  copyBytes(to, from, bytes);
  return RDI_OK;
}

int32_t rdi_read(rdi_engine*, void* to, const void* from, size_t bytes) {
  copyBytes(to, from, bytes);
  return RDI_OK;
}

size_t rdi_live_bytes(const rdi_engine* engine) { return engine->heap.liveBytes() - engine->ownBytes; }

int32_t rdi_group_create(rdi_engine* const* engines, int32_t count, const char*) {
  if (count == 1) return RDI_OK;
  engines[0]->error.clear() << "Expected one engine for a group on the processor but received " << count;
  return RDI_BAD_ARGUMENT;
}

const char* rdi_group_library(const char*) {
  cannotCreate("Expected GPUs for a group of several engines but this is the processor's engine");
  return nullptr;
}

rdi_plan* rdi_plan_create(rdi_engine* engine, const int32_t* words, size_t count) {
  size_t before = engine->heap.liveBytes();
  void* memory = engine->heap.allocate(sizeof(rdi_plan), engine->error);
  if (!memory) return nullptr;
  auto plan = new (memory) rdi_plan{.engine = engine};
  if (!decodePlan(engine->heap, words, count, plan->plan, engine->error) ||
      !checkPlan(engine->heap, plan->plan, engine->error) || !bindKernels(engine->isa, plan->plan, engine->error) ||
      !allocatePlan(engine->heap, engine->pool.workers(), plan->plan, engine->error)) {
    plan->~rdi_plan();
    engine->heap.release(plan);
    return nullptr;
  }
  plan->bytes = engine->heap.liveBytes() - before;
  plan->next = engine->firstPlan;
  if (plan->next) plan->next->previous = plan;
  engine->firstPlan = plan;
  return plan;
}

void rdi_plan_destroy(rdi_plan* plan) {
  if (!plan) return;
  unlink(plan);
  Heap& heap = plan->engine->heap;
  plan->~rdi_plan();
  heap.release(plan);
}

size_t rdi_plan_bytes(const rdi_plan* plan) { return plan->bytes; }

int32_t rdi_plan_run(rdi_plan* plan, int32_t batch, int32_t total, int32_t repeat, void* const* buffers,
                     int32_t version, const int32_t* cancel) {
  if (int32_t status = checkOrdinaryRun(plan->plan, batch, total, repeat, buffers, plan->error)) return status;
  if (total != batch) {
    plan->error.clear() << "Expected " << batch << ", the batch, for total on the processor but received " << total;
    return RDI_BAD_ARGUMENT;
  }
  OrdinaryRun run(plan->plan, plan->engine->pool, {batch, buffers, cancel, &plan->engine->stopped}, repeat);
  run.run(isStale(plan, version));
  return finishRun(plan, run, version);
}

// Engines here are alone.
void rdi_plan_skip(rdi_plan*) {}

int32_t rdi_adaptive_run(rdi_plan* plan, int32_t batch, const float* thresholds, void* const* buffers,
                         float* probabilities, float* entropy, int32_t* exits, int32_t version, const int32_t* cancel) {
  const void* const results[] = {probabilities, entropy, exits};
  if (int32_t status = checkAdaptiveRun(plan->plan, batch, buffers, thresholds, results, plan->error)) return status;
  AdaptiveRun run(plan->plan, plan->engine->pool, {batch, buffers, cancel, &plan->engine->stopped}, thresholds,
                  {probabilities, entropy, exits});
  run.run(isStale(plan, version));
  return finishRun(plan, run, version);
}

const char* rdi_run_error(const rdi_plan* plan) { return plan->error.text(); }

const char* rdi_last_error(const rdi_engine* engine) {
  return engine ? engine->error.text() : __atomic_load_n(&creationError, __ATOMIC_RELAXED);
}

}  // extern "C"
