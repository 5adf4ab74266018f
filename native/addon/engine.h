// The class Engine that JavaScript sees: the C ABI of core/rdi.h, with runs on a thread of their own.
//
// Buffers and plans are numbers in JavaScript, which are looked up here, so that a wrong one is an error. What is asked
// for is done in the order in which it was asked for.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "tasks.h"

namespace rdi::addon {

class Engine : public Napi::ObjectWrap<Engine> {
 public:
  static Napi::Function define(Napi::Env env);

  // group(engines: Engine[], library: string | undefined)
  static void group(const Napi::CallbackInfo& info);

  // new Engine(threads: number, instructionSet: string | undefined, device: number,
  //            precision: "fp32" | "tf32" | "fp16" | "bf16")
  explicit Engine(const Napi::CallbackInfo& info);
  ~Engine() override;

 private:
  Napi::Value instructionSet(const Napi::CallbackInfo& info);
  // alloc(bytes): number
  Napi::Value alloc(const Napi::CallbackInfo& info);
  // free(buffer)
  void free(const Napi::CallbackInfo& info);
  // liveBytes(): number
  Napi::Value liveBytes(const Napi::CallbackInfo& info);
  // write(buffer, data: ArrayBufferView)
  void write(const Napi::CallbackInfo& info);
  // read(buffer, into: ArrayBufferView): Promise<void>
  Napi::Value read(const Napi::CallbackInfo& info);
  // planCreate(words: Int32Array, uses: Uint8Array): number
  Napi::Value planCreate(const Napi::CallbackInfo& info);
  // planDestroy(plan)
  void planDestroy(const Napi::CallbackInfo& info);
  // planBytes(plan): number
  Napi::Value planBytes(const Napi::CallbackInfo& info);
  // planRun(plan, batch, total, repeat, buffers: number[], version, cancel: Int32Array | null)
  void planRun(const Napi::CallbackInfo& info);
  // adaptiveRun(plan, batch, thresholds, buffers: number[], probabilities, entropy, exits, version, cancel: Int32Array
  // | null)
  void adaptiveRun(const Napi::CallbackInfo& info);
  // sync(plan): Promise<void>, rejected with what went wrong since it was last asked
  Napi::Value sync(const Napi::CallbackInfo& info);
  // dispose(): ends the run in hand
  void dispose(const Napi::CallbackInfo& info);

  template <class Resource>
  using Table = std::unordered_map<uint32_t, std::shared_ptr<Resource>>;

  // The queue; throws a JavaScript error if the engine was disposed of.
  WorkQueue& live();
  // What JavaScript means by a number; throws a JavaScript error if there is no such thing.
  template <class Resource>
  std::shared_ptr<Resource> find(const Table<Resource>& table, const Napi::Value& value, const char* what);
  // Gives the number under which JavaScript will know it.
  template <class Resource>
  Napi::Value keep(Table<Resource>& table, std::shared_ptr<Resource> resource);
  // JavaScript gives it back.
  template <class Resource>
  void drop(Table<Resource>& table, const Napi::Value& value, const char* what);
  RunBuffers runBuffers(const Plan& plan, const Napi::Value& value);
  // The task's promise. The task is done here and now if nothing is before it.
  Napi::Value whenDone(std::unique_ptr<Awaited> task);
  // Stops the work, and gives everything back. `settle`: also tells those who wait.
  void close(bool settle);
  static void closeAtExit(void* engine);

  const Napi::Env env_;
  std::shared_ptr<Core> core_;
  std::unique_ptr<WorkQueue> queue_;
  Table<Block> blocks_;
  Table<Plan> plans_;
  uint32_t lastNumber_ = 0;
  size_t liveBytes_ = 0;
};

}  // namespace rdi::addon
