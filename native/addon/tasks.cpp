#include "tasks.h"

namespace rdi::addon {

namespace {

const char* codeOf(int32_t status) {
  switch (status) {
    case RDI_CANCELLED:
      return "RDI_CANCELLED";
    case RDI_PEER_FAILED:
      return "RDI_PEER_FAILED";
    default:
      return "RDI_FAILED";
  }
}

}  // namespace

Napi::Value errorOf(Napi::Env env, const Failure& failure) {
  Napi::Error error = Napi::Error::New(env, failure.message);
  error.Set("code", codeOf(failure.status));
  return error.Value();
}

Write::Write(std::shared_ptr<Block> to, const void* data, size_t bytes)
    : to_(std::move(to)),
      data_(static_cast<const unsigned char*>(data), static_cast<const unsigned char*>(data) + bytes) {}

void Write::execute() { to_->failure = to_->write(data_.data(), data_.size()); }

void Awaited::settle(Napi::Env env) {
  if (failure_) {
    deferred_.Reject(errorOf(env, *failure_));
  } else {
    deferred_.Resolve(env.Undefined());
  }
}

Read::Read(const Napi::Object& engine, std::shared_ptr<Block> from, const Napi::TypedArray& into)
    : Awaited(engine),
      from_(std::move(from)),
      into_(static_cast<unsigned char*>(into.ArrayBuffer().Data()) + into.ByteOffset()),
      bytes_(into.ByteLength()),
      array_(Napi::Persistent(into)) {}

void Read::execute() {
  failure_ = from_->failure;
  if (!failure_) failure_ = from_->read(into_, bytes_);
}

Run::Run(std::shared_ptr<Plan> plan, RunBuffers buffers, int32_t batch, int32_t version, const Napi::Int32Array& cancel)
    : plan_(std::move(plan)),
      buffers_(std::move(buffers)),
      batch_(batch),
      version_(version),
      cancel_(cancel.IsEmpty() ? nullptr : cancel.Data()) {
  if (cancel_) cancelArray_ = Napi::Persistent(cancel);
}

void Run::execute() {
  std::shared_ptr<const Failure> failure;
  for (const auto& block : buffers_.read) {
    if (block->failure) failure = block->failure;
  }
  if (failure) {
    rdi_plan_skip(plan_->plan);
  } else {
    if (const int32_t status = run()) failure = makeFailure(status, rdi_run_error(plan_->plan));
  }
  for (const auto& block : buffers_.written) block->failure = failure;
  if (failure && !plan_->failure) plan_->failure = failure;
}

}  // namespace rdi::addon
