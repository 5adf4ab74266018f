#include "engine.h"

#include <utility>

#include "arguments.h"
#include "tasks.h"

namespace rdi::addon {
namespace {

constexpr double mostBytes = 9007199254740991;  // 2^53 − 1

Napi::Int32Array cancelArray(const Napi::Value& value) {
  if (value.IsNull()) return {};
  Napi::TypedArray array = view(value, "cancel", napi_int32_array, "an Int32Array or null");
  if (array.ElementLength() == 0) throw expected(value, "an Int32Array of an element", "cancel");
  return array.As<Napi::Int32Array>();
}

rdi_precision precisionOf(const Napi::Value& value) {
  const std::pair<const char*, rdi_precision> names[] = {
      {"fp32", RDI_FP32}, {"tf32", RDI_TF32}, {"fp16", RDI_FP16}, {"bf16", RDI_BF16}};
  const std::string given = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  for (const auto& [name, precision] : names) {
    if (given == name) return precision;
  }
  throw expected(value, "\"fp32\", \"tf32\", \"fp16\" or \"bf16\"", "precision");
}

}  // namespace

Napi::Function Engine::define(Napi::Env env) {
  return DefineClass(env, "Engine",
                     {
                         StaticMethod<&Engine::group>("group"),
                         InstanceAccessor<&Engine::instructionSet>("instructionSet"),
                         InstanceMethod<&Engine::alloc>("alloc"),
                         InstanceMethod<&Engine::free>("free"),
                         InstanceMethod<&Engine::liveBytes>("liveBytes"),
                         InstanceMethod<&Engine::write>("write"),
                         InstanceMethod<&Engine::read>("read"),
                         InstanceMethod<&Engine::planCreate>("planCreate"),
                         InstanceMethod<&Engine::planDestroy>("planDestroy"),
                         InstanceMethod<&Engine::planBytes>("planBytes"),
                         InstanceMethod<&Engine::planRun>("planRun"),
                         InstanceMethod<&Engine::adaptiveRun>("adaptiveRun"),
                         InstanceMethod<&Engine::sync>("sync"),
                         InstanceMethod<&Engine::dispose>("dispose"),
                     });
}

Engine::Engine(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Engine>(info), env_(info.Env()) {
  const auto threads = int32_t(integer(info[0], "threads", 1, 256));
  std::string name;
  if (!info[1].IsUndefined()) {
    if (!info[1].IsString()) throw expected(info[1], "a string", "instructionSet");
    name = info[1].As<Napi::String>().Utf8Value();
  }
  const auto device = int32_t(integer(info[2], "device", 0, INT32_MAX));
  const rdi_precision precision = precisionOf(info[3]);
  rdi_engine* engine = rdi_engine_create(threads, name.empty() ? nullptr : name.c_str(), device, precision);
  if (!engine) throw Napi::Error::New(env_, rdi_last_error(nullptr));
  core_ = std::make_shared<Core>(engine);
  queue_ = std::make_unique<WorkQueue>(env_);
  // Hooks run last to first: this one ends the queue's thread before that of the queue ends its way to JavaScript.
  napi_add_env_cleanup_hook(env_, closeAtExit, this);
}

void Engine::group(const Napi::CallbackInfo& info) {
  if (!info[0].IsArray() || info[0].As<Napi::Array>().Length() == 0) throw expected(info[0], "engines", "engines");
  const auto list = info[0].As<Napi::Array>();
  std::vector<rdi_engine*> engines;
  for (uint32_t i = 0; i < list.Length(); i++) {
    Engine* engine = Unwrap(list.Get(i).As<Napi::Object>());
    engine->live();
    engines.push_back(engine->core_->engine);
  }
  std::string library;
  if (info[1].IsString()) library = info[1].As<Napi::String>().Utf8Value();
  if (rdi_group_create(engines.data(), int32_t(engines.size()), library.empty() ? nullptr : library.c_str())) {
    throw Napi::Error::New(info.Env(), rdi_last_error(engines[0]));
  }
}

Engine::~Engine() { close(false); }

void Engine::closeAtExit(void* engine) { static_cast<Engine*>(engine)->close(false); }

void Engine::close(bool settle) {
  if (!queue_) return;
  napi_remove_env_cleanup_hook(env_, closeAtExit, this);
  rdi_engine_stop(core_->engine);
  queue_->close(env_, settle);
  queue_.reset();
  blocks_.clear();
  plans_.clear();
  core_.reset();
}

void Engine::dispose(const Napi::CallbackInfo&) { close(true); }

WorkQueue& Engine::live() {
  if (!queue_) throw Napi::Error::New(env_, "Expected an engine in use but received one that was disposed of");
  return *queue_;
}

template <class Resource>
std::shared_ptr<Resource> Engine::find(const Table<Resource>& table, const Napi::Value& value, const char* what) {
  live();
  const auto found = value.IsNumber() ? table.find(value.As<Napi::Number>().Uint32Value()) : table.end();
  if (found == table.end()) throw expected(value, std::string("a live ") + what, what);
  return found->second;
}

template <class Resource>
Napi::Value Engine::keep(Table<Resource>& table, std::shared_ptr<Resource> resource) {
  do {
    lastNumber_++;
  } while (lastNumber_ == 0 || table.count(lastNumber_) > 0);
  liveBytes_ += resource->bytes;
  table.emplace(lastNumber_, std::move(resource));
  return Napi::Number::New(env_, lastNumber_);
}

template <class Resource>
void Engine::drop(Table<Resource>& table, const Napi::Value& value, const char* what) {
  liveBytes_ -= find(table, value, what)->bytes;
  table.erase(value.As<Napi::Number>().Uint32Value());
}

Napi::Value Engine::instructionSet(const Napi::CallbackInfo&) {
  live();
  return Napi::String::New(env_, rdi_engine_isa(core_->engine));
}

Napi::Value Engine::liveBytes(const Napi::CallbackInfo&) {
  live();
  return Napi::Number::New(env_, double(liveBytes_));
}

Napi::Value Engine::alloc(const Napi::CallbackInfo& info) {
  live();
  const auto bytes = size_t(integer(info[0], "bytes", 0, mostBytes));
  std::unique_lock guard(core_->lock);
  void* data = rdi_alloc(core_->engine, bytes);
  if (!data) throw Napi::Error::New(env_, rdi_last_error(core_->engine));
  guard.unlock();
  return keep(blocks_, std::make_shared<Block>(core_, data, bytes));
}

void Engine::free(const Napi::CallbackInfo& info) { drop(blocks_, info[0], "buffer"); }

void Engine::write(const Napi::CallbackInfo& info) {
  auto to = find(blocks_, info[0], "buffer");
  const Napi::TypedArray data = view(info[1], "data");
  integer(Napi::Number::New(env_, double(data.ByteLength())), "the data's bytes", 0, double(to->bytes));
  auto task = std::make_unique<Write>(to, bytesOf(data), data.ByteLength());
  if (!queue_->idle()) return queue_->push(env_, std::move(task));
  task->execute();
  if (to->failure) throw Napi::Error(env_, errorOf(env_, *to->failure));
}

Napi::Value Engine::read(const Napi::CallbackInfo& info) {
  auto from = find(blocks_, info[0], "buffer");
  const Napi::TypedArray into = view(info[1], "into");
  integer(Napi::Number::New(env_, double(into.ByteLength())), "the bytes to read", 0, double(from->bytes));
  return whenDone(std::make_unique<Read>(info.This().As<Napi::Object>(), std::move(from), into));
}

Napi::Value Engine::sync(const Napi::CallbackInfo& info) {
  return whenDone(std::make_unique<Sync>(info.This().As<Napi::Object>(), find(plans_, info[0], "plan")));
}

Napi::Value Engine::whenDone(std::unique_ptr<Awaited> task) {
  Napi::Promise promise = task->promise();
  if (queue_->idle()) {
    task->execute();
    task->settle(env_);
  } else {
    queue_->push(env_, std::move(task));
  }
  return promise;
}

Napi::Value Engine::planCreate(const Napi::CallbackInfo& info) {
  live();
  const auto words = view(info[0], "words", napi_int32_array, "an Int32Array");
  const auto given = view(info[1], "uses", napi_uint8_array, "a Uint8Array");
  std::vector<BufferUse> uses(given.ElementLength());
  for (size_t i = 0; i < uses.size(); i++) {
    if (bytesOf(given)[i] > uint8_t(BufferUse::Update)) throw expected(given, "0, 1 or 2", "each of the uses");
    uses[i] = BufferUse(bytesOf(given)[i]);
  }
  std::unique_lock guard(core_->lock);
  rdi_plan* plan =
      rdi_plan_create(core_->engine, reinterpret_cast<const int32_t*>(bytesOf(words)), words.ElementLength());
  if (!plan) throw Napi::Error::New(env_, rdi_last_error(core_->engine));
  guard.unlock();
  return keep(plans_, std::make_shared<Plan>(core_, plan, std::move(uses)));
}

void Engine::planDestroy(const Napi::CallbackInfo& info) { drop(plans_, info[0], "plan"); }

Napi::Value Engine::planBytes(const Napi::CallbackInfo& info) {
  return Napi::Number::New(env_, double(find(plans_, info[0], "plan")->bytes));
}

RunBuffers Engine::runBuffers(const Plan& plan, const Napi::Value& value) {
  const size_t count = plan.uses.size();
  if (!value.IsArray() || value.As<Napi::Array>().Length() != count) {
    throw expected(value, "a list of " + std::to_string(count) + " buffers", "buffers");
  }
  const auto list = value.As<Napi::Array>();
  RunBuffers buffers;
  buffers.addresses.reserve(count);
  for (size_t i = 0; i < count; i++) {
    auto block = find(blocks_, list[uint32_t(i)], "buffer");
    buffers.addresses.push_back(block->data);
    if (plan.uses[i] != BufferUse::Fill) buffers.read.push_back(block);
    if (plan.uses[i] != BufferUse::Read) buffers.written.push_back(std::move(block));
  }
  return buffers;
}

void Engine::planRun(const Napi::CallbackInfo& info) {
  auto plan = find(plans_, info[0], "plan");
  const auto batch = int32_t(integer(info[1], "batch", 1, INT32_MAX));
  const auto total = int32_t(integer(info[2], "total", batch, INT32_MAX));
  const auto repeat = int32_t(integer(info[3], "repeat", 1, INT32_MAX));
  RunBuffers buffers = runBuffers(*plan, info[4]);
  const auto version = int32_t(integer(info[5], "version", 0, INT32_MAX));
  queue_->push(env_, std::make_unique<OrdinaryRun>(std::move(plan), std::move(buffers), batch, version,
                                                   cancelArray(info[6]), total, repeat));
}

void Engine::adaptiveRun(const Napi::CallbackInfo& info) {
  auto plan = find(plans_, info[0], "plan");
  const auto batch = int32_t(integer(info[1], "batch", 1, INT32_MAX));
  auto thresholds = find(blocks_, info[2], "buffer");
  RunBuffers buffers = runBuffers(*plan, info[3]);
  auto probabilities = find(blocks_, info[4], "buffer"), entropy = find(blocks_, info[5], "buffer"),
       exits = find(blocks_, info[6], "buffer");
  const auto version = int32_t(integer(info[7], "version", 0, INT32_MAX));
  const AdaptiveRun::Results results = {static_cast<const float*>(thresholds->data),
                                        static_cast<float*>(probabilities->data), static_cast<float*>(entropy->data),
                                        static_cast<int32_t*>(exits->data)};
  buffers.read.push_back(std::move(thresholds));
  for (auto* block : {&probabilities, &entropy, &exits}) buffers.written.push_back(std::move(*block));
  queue_->push(env_, std::make_unique<AdaptiveRun>(std::move(plan), std::move(buffers), batch, version,
                                                   cancelArray(info[8]), results));
}

}  // namespace rdi::addon
