// The C ABI of core/rdi.h on a GPU.
#include <algorithm>
#include <chrono>
#include <memory>
#include <new>
#include <optional>
#include <thread>

#include "adaptive_run.h"
#include "core/plan_decoder.h"
#include "core/plan_packs.h"
#include "core/rdi.h"
#include "core/run_checks.h"
#include "devices.h"
#include "failure.h"
#include "group.h"
#include "ordinary_run.h"
#include "staging.h"

using namespace rdi;
using namespace rdi::cuda;

struct rdi_engine {
  rdi_engine(int32_t device, const char* architecture, const Device& facts)
      : device(device), architecture(architecture), facts(facts) {}
  ~rdi_engine() {
    if (fault) cudaFreeHost(fault);
  }

  const int32_t device;
  const char* const architecture;
  const Device facts;
  Heap heap;  // the host's, for what plans are decoded to
  Stream stream;
  DeviceMemory memory;
  Staging staging;
  Fault* fault = nullptr;  // pinned: where the device's is copied to
  Message error;
  int32_t stopped = 0;
  std::shared_ptr<Group> group;  // null: alone
  int32_t member = 0;            // of the group
  rdi_plan* firstPlan = nullptr;
};

struct rdi_plan {
  explicit rdi_plan(rdi_engine* engine) : engine(engine) {}

  rdi_engine* const engine;
  rdi_plan* previous = nullptr;
  rdi_plan* next = nullptr;
  bool cached = false;  // whether what is kept from the parameters is that of `version`
  int32_t version = 0;
  Message error;
  Plan plan = {};
  PlanMemory memory = {};
};

namespace {

// Why there is no device, or why the last engine of this thread could not be created.
thread_local Message creationError;

rdi_engine* cannotCreate(rdi_engine* engine) {
  delete engine;
  return nullptr;
}

const char* precisionName(int32_t precision) {
  constexpr const char* names[] = {"fp32", "tf32", "fp16", "bf16"};
  return names[precision];
}

// What the device is to compute in. TF32 is a wish for speed: where there is none, PyTorch too takes 32-bit floats.
bool choosePrecision(const DeviceInfo& info, int32_t precision, int32_t& chosen) {
  constexpr int32_t ampere = 80;
  chosen = precision == RDI_TF32 && info.computeCapability < ampere ? int32_t(RDI_FP32) : precision;
  return precision != RDI_BF16 || info.computeCapability >= ampere;
}

// The stream's failure, or none.
int32_t describeFailure(Stream& stream, Message& message) {
  const char* what = stream.failed();
  return cuda::describeFailure(stream.handle(), stream.takeError(), what, message);
}

bool bindKernels(rdi_engine* engine, Plan& plan) {
  for (Node& node : plan.nodes) {
    node.kernel = findKernel(node.op->name);
    if (!node.kernel) {
      engine->error.clear() << "Expected a kernel of \"" << node.op->name << "\" for CUDA but there is none";
      return false;
    }
    NodeView view(plan, node);
    if (node.kernel->prepare) node.kernel->prepare(view, engine->facts);
  }
  return true;
}

// Whether its runs wait for the other engines of the group.
bool sumsOverGroup(const rdi_plan* plan) { return plan->plan.collective && plan->engine->group; }

// Waits until the stream is empty. A sum waits for all members: it is aborted if one has failed.
void waitWithGroup(rdi_engine* engine) {
  Stream& stream = engine->stream;
  Communicator& communicator = engine->group->communicator(engine->member);
  cudaError_t state;
  while ((state = cudaStreamQuery(stream.handle())) == cudaErrorNotReady) {
    if (stream.error() != cudaSuccess || !communicator.error().empty() || engine->group->ended()) communicator.abort();
    std::this_thread::sleep_for(std::chrono::microseconds(20));
  }
  cudaGetLastError();  // or the next launch would be told that the stream was not empty
  stream.check(state, "a run");
}

// A failure of the device or of the sums over the group, which ends the group; or none.
int32_t describeFailure(rdi_plan* plan) {
  rdi_engine* engine = plan->engine;
  int32_t status = describeFailure(engine->stream, plan->error);
  if (!sumsOverGroup(plan)) return status;
  const Message& error = engine->group->communicator(engine->member).error();
  if (!error.empty()) {
    status = RDI_DEVICE_FAILED;
    plan->error = error;
  }
  if (status != RDI_OK) engine->group->end(engine->member, plan->error.text());
  return status;
}

// Waits for a run, and tells what came of it.
int32_t finishRun(rdi_plan* plan, const RunContext& run, int32_t version) {
  rdi_engine* engine = plan->engine;
  Stream& stream = engine->stream;
  *engine->fault = {};
  if (stream.error() == cudaSuccess) {
    stream.check(
        cudaMemcpyAsync(engine->fault, plan->memory.fault, sizeof(Fault), cudaMemcpyDeviceToHost, stream.handle()),
        "the end of a run");
  }
  if (sumsOverGroup(plan)) {
    waitWithGroup(engine);
  } else {
    stream.check(cudaStreamSynchronize(stream.handle()), "a run");
  }
  if (int32_t status = describeFailure(plan)) {
    // Graphs may have been cut short, and packed weights left unmade.
    plan->memory.sections.clear();
    plan->cached = false;
    return status;
  }
  plan->cached = true;
  plan->version = version;
  if (engine->fault->node > 0) {
    const Node& node = plan->plan.nodes[size_t(engine->fault->node - 1)];
    // The logits are the input before the labels.
    const int32_t classes = plan->plan.values[size_t(node.inputs[node.inputCount - 2])].dims[0];
    plan->error.clear() << "[" << node.op->name << "] Expected labels from 0 to " << classes - 1 << " but received "
                        << engine->fault->value;
    return RDI_BAD_ARGUMENT;
  }
  if (!run.cancelled()) return RDI_OK;
  plan->error.clear() << "The run was cancelled";
  return RDI_CANCELLED;
}

bool isStale(const rdi_plan* plan, int32_t version) { return !plan->cached || plan->version != version; }

// The device is a property of the calling thread.
void enter(const rdi_engine* engine) { cudaSetDevice(engine->device); }

}  // namespace

extern "C" {

int32_t rdi_isa_count(void) {
  int32_t count = 0;
  while (architectureName(count)) count++;
  return count;
}

const char* rdi_isa_name(int32_t index) { return architectureName(index); }

int32_t rdi_isa_supported(int32_t index) {
  const char* name = architectureName(index);
  const int32_t devices = name ? rdi_device_count() : 0;
  for (int32_t i = 0; i < devices; i++) {
    DeviceInfo info;
    if (describeDevice(i, info) && info.architecture && sameText(info.architecture, name)) return 1;
  }
  return 0;
}

int32_t rdi_device_count(void) { return countDevices(creationError); }

const char* rdi_device_name(int32_t device) {
  thread_local DeviceInfo info;
  return describeDevice(device, info) ? info.name.text() : nullptr;
}

size_t rdi_device_bytes(int32_t device) {
  DeviceInfo info;
  return describeDevice(device, info) ? info.bytes : 0;
}

rdi_engine* rdi_engine_create(int32_t, const char* isa, int32_t device, int32_t precision) {
  const int32_t count = countDevices(creationError);
  if (count == 0) return nullptr;
  DeviceInfo info;
  if (device < 0 || device >= count || !describeDevice(device, info)) {
    creationError.clear() << "Expected 0 to " << count - 1 << " for device but received " << device;
    return nullptr;
  }
  if (!info.architecture) {
    creationError.clear() << "Expected a GPU of compute capability 7.5 or newer but device " << device << " is "
                          << info.name.text();
    return nullptr;
  }
  if (isa && !sameText(isa, info.architecture)) {
    creationError.clear() << "Expected " << info.architecture << " for the instruction set of device " << device
                          << " but received " << isa;
    return nullptr;
  }
  Device facts = {info.multiprocessors, RDI_FP32};
  if (precision < RDI_FP32 || precision > RDI_BF16 || !choosePrecision(info, precision, facts.precision)) {
    creationError.clear()
        << "Expected fp32, tf32, fp16 or (from compute capability 8.0 on) bf16 for precision but received "
        << (precision < RDI_FP32 || precision > RDI_BF16 ? "another" : precisionName(precision));
    return nullptr;
  }
  auto engine = new (std::nothrow) rdi_engine(device, info.architecture, facts);
  if (!engine) {
    creationError.clear() << "Out of memory";
    return nullptr;
  }
  Stream& stream = engine->stream;
  void* fault = nullptr;
  if (stream.check(cudaSetDevice(device), "choosing the device") && stream.create() &&
      engine->memory.create(device, stream) && engine->staging.create(stream)) {
    stream.check(cudaMallocHost(&fault, sizeof(Fault)), "pinned memory");
  }
  engine->fault = static_cast<Fault*>(fault);
  if (describeFailure(stream, creationError) != RDI_OK) return cannotCreate(engine);
  return engine;
}

const char* rdi_engine_isa(const rdi_engine* engine) { return engine->architecture; }

void rdi_engine_stop(rdi_engine* engine) {
  __atomic_store_n(&engine->stopped, 1, __ATOMIC_RELAXED);
  if (engine->group) engine->group->end(engine->member, "it was stopped");
}

void rdi_engine_destroy(rdi_engine* engine) {
  if (!engine) return;
  enter(engine);
  while (engine->firstPlan) rdi_plan_destroy(engine->firstPlan);
  if (engine->group) {
    engine->group->end(engine->member, "it was disposed of");
    engine->group->communicator(engine->member).abort();
  }
  delete engine;
}

void* rdi_alloc(rdi_engine* engine, size_t bytes) {
  enter(engine);
  return engine->memory.allocate(bytes, engine->error);
}

void rdi_free(rdi_engine* engine, void* memory) {
  enter(engine);
  engine->memory.release(memory);
}

int32_t rdi_write(rdi_engine* engine, void* to, const void* from, size_t bytes) {
  enter(engine);
  engine->staging.write(engine->stream, to, from, bytes);
  return describeFailure(engine->stream, engine->error);
}

int32_t rdi_read(rdi_engine* engine, void* to, const void* from, size_t bytes) {
  enter(engine);
  engine->staging.read(engine->stream, to, from, bytes);
  return describeFailure(engine->stream, engine->error);
}

size_t rdi_live_bytes(const rdi_engine* engine) { return engine->memory.liveBytes() + engine->heap.liveBytes(); }

int32_t rdi_group_create(rdi_engine* const* engines, int32_t count, const char* library) {
  std::vector<int> devices;
  for (int32_t i = 0; i < count; i++) {
    const int device = engines[i]->device;
    if (engines[i]->group || std::find(devices.begin(), devices.end(), device) != devices.end()) {
      engines[0]->error.clear() << "Expected engines of different devices, in no group, but received another of device "
                                << device;
      return RDI_BAD_ARGUMENT;
    }
    devices.push_back(device);
  }
  if (count < 2) return RDI_OK;
  const auto group = std::make_shared<Group>(devices, library);
  for (int32_t i = 0; i < count; i++) {
    engines[i]->group = group;
    engines[i]->member = i;
  }
  return RDI_OK;
}

const char* rdi_group_library(const char* library) {
  thread_local Message name;
  const Nccl* nccl = loadNccl(library, creationError);
  if (!nccl) return nullptr;
  describeNccl(*nccl, name);
  return name.text();
}

rdi_plan* rdi_plan_create(rdi_engine* engine, const int32_t* words, size_t count) {
  enter(engine);
  auto plan = new (std::nothrow) rdi_plan(engine);
  if (!plan) {
    engine->error.clear() << "Out of memory";
    return nullptr;
  }
  if (!decodePlan(engine->heap, words, count, plan->plan, engine->error) ||
      !checkPlan(engine->heap, plan->plan, engine->error) || !bindKernels(engine, plan->plan) ||
      !planPacks(engine->heap, plan->plan, engine->error) ||
      (sumsOverGroup(plan) && !engine->group->connect(engine->error)) ||
      !allocatePlan(engine->memory, plan->plan, plan->memory, engine->error)) {
    delete plan;
    return nullptr;
  }
  plan->next = engine->firstPlan;
  if (plan->next) plan->next->previous = plan;
  engine->firstPlan = plan;
  return plan;
}

void rdi_plan_destroy(rdi_plan* plan) {
  if (!plan) return;
  enter(plan->engine);
  (plan->previous ? plan->previous->next : plan->engine->firstPlan) = plan->next;
  if (plan->next) plan->next->previous = plan->previous;
  plan->engine->memory.release(plan->memory.all);
  delete plan;
}

size_t rdi_plan_bytes(const rdi_plan* plan) { return plan->memory.bytes; }

int32_t rdi_plan_run(rdi_plan* plan, int32_t batch, int32_t total, int32_t repeat, void* const* buffers,
                     int32_t version, const int32_t* cancel) {
  rdi_engine* engine = plan->engine;
  std::optional<Member> member;
  if (sumsOverGroup(plan)) member.emplace(Member{*engine->group, engine->member, plan->error});
  if (int32_t status = checkOrdinaryRun(plan->plan, batch, total, repeat, buffers, plan->error)) {
    return member ? member->meet(status) : status;
  }
  enter(engine);
  RunArguments arguments = {batch, total, buffers, cancel, &engine->stopped, nullptr};
  if (member) {
    // Members would see a cancelled run at different times, and wait for each other.
    arguments.cancel = nullptr;
    arguments.communicator = &member->communicator();
  }
  OrdinaryRun run(plan->plan, plan->memory, engine->stream, engine->facts, arguments, repeat,
                  member ? &*member : nullptr);
  const int32_t met = run.run(isStale(plan, version));
  const int32_t status = finishRun(plan, run, version);
  if (!member) return status;
  if (met != RDI_OK) return status != RDI_OK ? status : met;
  // Labels that one has found to be wrong spoil the sums of all.
  return member->meet(status);
}

void rdi_plan_skip(rdi_plan* plan) {
  if (!sumsOverGroup(plan)) return;
  plan->error.clear() << "what the run should read was not made";
  plan->engine->group->meet(plan->engine->member, RDI_PEER_FAILED, plan->error);
}

int32_t rdi_adaptive_run(rdi_plan* plan, int32_t batch, const float* thresholds, void* const* buffers,
                         float* probabilities, float* entropy, int32_t* exits, int32_t version, const int32_t* cancel) {
  const void* const results[] = {probabilities, entropy, exits};
  if (int32_t status = checkAdaptiveRun(plan->plan, batch, buffers, thresholds, results, plan->error)) return status;
  rdi_engine* engine = plan->engine;
  enter(engine);
  AdaptiveRun run(plan->plan, plan->memory, engine->stream, engine->facts,
                  {batch, batch, buffers, cancel, &engine->stopped, nullptr}, thresholds,
                  {probabilities, entropy, exits});
  run.run(isStale(plan, version));
  return finishRun(plan, run, version);
}

const char* rdi_run_error(const rdi_plan* plan) { return plan->error.text(); }

const char* rdi_last_error(const rdi_engine* engine) { return engine ? engine->error.text() : creationError.text(); }

}  // extern "C"
