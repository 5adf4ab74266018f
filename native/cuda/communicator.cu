#include <dlfcn.h>

#include <map>
#include <mutex>
#include <string>

#include "communicator.h"

namespace rdi::cuda {

// As nccl.h declares them, of any version 2; its handles are pointers, and its enumerations ints.
struct Nccl {
  int (*getVersion)(int* version);
  const char* (*getErrorString)(int result);
  int (*commInitAll)(void** communicators, int count, const int* devices);
  int (*commAbort)(void* communicator);
  int (*commGetAsyncError)(void* communicator, int* result);
  int (*groupStart)();
  int (*groupEnd)();
  int (*allReduce)(const void* from, void* to, size_t count, int type, int operation, void* communicator,
                   cudaStream_t stream);
};

namespace {

enum { Success = 0, InProgress = 7 };  // ncclResult_t
constexpr int float32 = 7;             // ncclDataType_t
constexpr int addition = 0;            // ncclRedOp_t

class Library {
 public:
  Library(const char* path, Message& message) : handle_(dlopen(path, RTLD_NOW | RTLD_LOCAL)), message_(message) {
    if (!handle_) refuse(dlerror());
  }

  template <class Function>
  void find(const char* name, Function*& function) {
    if (!handle_) return;
    function = reinterpret_cast<Function*>(dlsym(handle_, name));
    if (function) return;
    refuse(dlerror());
    handle_ = nullptr;
  }
  bool whole() const { return handle_ != nullptr; }

 private:
  void refuse(const char* why) {
    message_.clear() << "Expected NVIDIA's NCCL, which sums gradients over several GPUs, but it cannot be loaded: "
                     << why
                     << ". Install it (Debian, Ubuntu: apt-get install libnccl2; or pip install nvidia-nccl-cu13), and "
                        "let RDI_NCCL name its file, libnccl.so.2, where the system does not find it. Inference, "
                        "evaluation and attacks on several GPUs work without it; or train on one";
  }

  void* handle_;
  Message& message_;
};

}  // namespace

const Nccl* loadNccl(const char* path, Message& message) {
  static std::map<std::string, Nccl> loaded;
  static std::mutex lock;
  std::lock_guard guard(lock);
  const std::string file = path ? path : "libnccl.so.2";
  if (const auto known = loaded.find(file); known != loaded.end()) return &known->second;
  Library library(file.c_str(), message);
  Nccl nccl;
  library.find("ncclGetVersion", nccl.getVersion);
  library.find("ncclGetErrorString", nccl.getErrorString);
  library.find("ncclCommInitAll", nccl.commInitAll);
  library.find("ncclCommAbort", nccl.commAbort);
  library.find("ncclCommGetAsyncError", nccl.commGetAsyncError);
  library.find("ncclGroupStart", nccl.groupStart);
  library.find("ncclGroupEnd", nccl.groupEnd);
  library.find("ncclAllReduce", nccl.allReduce);
  return library.whole() ? &loaded.emplace(file, nccl).first->second : nullptr;
}

void describeNccl(const Nccl& nccl, Message& name) {
  int version = 0;
  nccl.getVersion(&version);
  name.clear() << "NCCL " << version / 10000 << "." << version / 100 % 100 << "." << version % 100;
}

bool Communicator::connect(const Nccl& nccl, const std::vector<int>& devices, const std::vector<Communicator*>& all,
                           Message& message) {
  std::vector<void*> handles(devices.size());
  if (const int result = nccl.commInitAll(handles.data(), int(devices.size()), devices.data())) {
    message.clear() << "NCCL could not connect the GPUs: " << nccl.getErrorString(result)
                    << ". NCCL_DEBUG=INFO in the environment has it tell more";
    return false;
  }
  for (size_t i = 0; i < all.size(); i++) {
    all[i]->nccl_ = &nccl;
    all[i]->handle_ = handles[i];
  }
  return true;
}

void Communicator::begin(Stream& stream) {
  if (handle_ && stream.error() == cudaSuccess) check(nccl_->groupStart(), "the start of sums over the GPUs", stream);
}

void Communicator::end(Stream& stream) {
  if (handle_ && stream.error() == cudaSuccess) check(nccl_->groupEnd(), "sums over the GPUs", stream);
}

void Communicator::sum(const float* from, float* to, size_t count, Stream& stream) {
  if (!handle_ || stream.error() != cudaSuccess) return;
  check(nccl_->allReduce(from, to, count, float32, addition, handle_, stream.handle()), "a sum over the GPUs", stream);
}

const Message& Communicator::error() {
  int result = Success;
  if (handle_ && error_.empty() && nccl_->commGetAsyncError(handle_, &result) == Success && result != Success &&
      result != InProgress) {
    error_ << "NCCL failed at a sum over the GPUs: " << nccl_->getErrorString(result);
  }
  return error_;
}

void Communicator::abort() {
  if (handle_) nccl_->commAbort(handle_);
  handle_ = nullptr;
}

void Communicator::check(int result, const char* what, Stream& stream) {
  if (result == Success || result == InProgress) return;
  if (error_.empty()) error_ << "NCCL failed at " << what << ": " << nccl_->getErrorString(result);
  // What follows in the stream would be done with numbers that are not there.
  stream.check(cudaErrorUnknown, what);
}

}  // namespace rdi::cuda
