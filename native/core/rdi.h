// The C ABI of every native engine (wasm, cpu, cuda): decode a plan, run it, give back buffers.
// The plan format is documented in docs/plan-format.md.
//
// Functions that can fail return a negative status (or a null pointer), and leave a message: those that run a plan for
// rdi_run_error, the others for rdi_last_error. One thread at a time may run plans, and one at a time call the other
// functions, but on plans and buffers that no run uses; an engine spreads the work over its own workers.
//
// Buffers are where the engine computes, which need not be the host's memory: their addresses are for the engine alone,
// and rdi_write and rdi_read copy between it and them. In WebAssembly they are addresses of the module's memory.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __wasm__
#define RDI_EXPORT(name) __attribute__((export_name(#name), visibility("default")))
#else
#define RDI_EXPORT(name) __attribute__((visibility("default")))
#endif

extern "C" {

struct rdi_engine;
struct rdi_plan;

enum rdi_status : int32_t {
  RDI_OK = 0,
  RDI_BAD_PLAN = -1,      // the plan's words are not a valid plan
  RDI_BAD_ARGUMENT = -2,  // batch, repeat, buffers … out of range
  RDI_OUT_OF_MEMORY = -3,
  RDI_CANCELLED = -4,  // the run was cancelled: what it would have written is incomplete
  RDI_DEVICE_FAILED = -5,
  RDI_PEER_FAILED = -6,  // another engine of the group failed, or does not run the plan
};

// Grows with every change of this interface or of the plan format.
enum { RDI_ABI_VERSION = 3 };

// The arithmetic of matrix products (convolutions, fully connected layers). Sums are of 32-bit floats in all of them.
enum rdi_precision : int32_t { RDI_FP32 = 0, RDI_TF32 = 1, RDI_FP16 = 2, RDI_BF16 = 3 };

// The devices that engines can be created on: how many (0: rdi_last_error(null) says why there is none), their names
// ("NVIDIA H200, compute capability 9.0"; null beyond the last), and the bytes of memory of their own (0: they use the
// host's). The CPU's engine has one, the processor. Not exported from WebAssembly.
int32_t rdi_device_count(void);
const char* rdi_device_name(int32_t device);
size_t rdi_device_bytes(int32_t device);

// The instruction sets that the kernels were compiled for, the widest first: how many, their names ("avx2" …; null
// beyond the last), and whether this machine has them.
RDI_EXPORT(rdi_isa_count) int32_t rdi_isa_count(void);
RDI_EXPORT(rdi_isa_name) const char* rdi_isa_name(int32_t index);
RDI_EXPORT(rdi_isa_supported) int32_t rdi_isa_supported(int32_t index);

// Creates the engine on a device, with `workers` ≥ 1 workers, the caller's thread included, the kernels of an
// instruction set that this machine has (the widest if `isa` is null), and an rdi_precision. Null: out of memory, or
// not to be had here; rdi_last_error(null) says which. On the CPU: device 0 and RDI_FP32 only.
RDI_EXPORT(rdi_engine_create)
rdi_engine* rdi_engine_create(int32_t workers, const char* isa, int32_t device, int32_t precision);
// The name of the engine's instruction set.
RDI_EXPORT(rdi_engine_isa) const char* rdi_engine_isa(const rdi_engine* engine);
// From any thread: ends the run in hand as if it were cancelled, and every later one; of the engine's group, those that
// sum.
RDI_EXPORT(rdi_engine_stop) void rdi_engine_stop(rdi_engine* engine);
// Stops the workers and frees everything, plans and buffers included. No run may be in hand.
RDI_EXPORT(rdi_engine_destroy) void rdi_engine_destroy(rdi_engine* engine);
// WASM with threads: entered by each worker 1 … workers − 1 on a thread of its own; returns after rdi_engine_destroy.
RDI_EXPORT(rdi_worker_main) void rdi_worker_main(rdi_engine* engine, int32_t worker);
// WASM with threads: the end of that worker's stack, which its thread sets its __stack_pointer to before it enters
// rdi_worker_main.
RDI_EXPORT(rdi_worker_stack) void* rdi_worker_stack(rdi_engine* engine, int32_t worker);

// 64-byte aligned memory for external buffers. Null: out of memory (rdi_last_error says how much was asked and is in
// use).
RDI_EXPORT(rdi_alloc) void* rdi_alloc(rdi_engine* engine, size_t bytes);
RDI_EXPORT(rdi_free) void rdi_free(rdi_engine* engine, void* memory);
// Copies the host's bytes to the start of a buffer, and back; done when they return. An rdi_status. Not exported from
// WebAssembly.
int32_t rdi_write(rdi_engine* engine, void* to, const void* from, size_t bytes);
int32_t rdi_read(rdi_engine* engine, void* to, const void* from, size_t bytes);
// Bytes now held by buffers and plans: what a leak test counts.
RDI_EXPORT(rdi_live_bytes) size_t rdi_live_bytes(const rdi_engine* engine);

// Makes engines, each on a device of its own, a group for good: an `allReduce` in their plans is then the sum over
// them. All must run such a plan the same number of times, each on a thread of its own; they wait for each other, and
// if one fails, so do all. `library`: the path or name of NVIDIA's NCCL, which the first such plan loads; null: where
// the system looks for it. An rdi_status, with a message for rdi_last_error(engines[0]). The processor makes no groups
// of several. Not exported from WebAssembly.
int32_t rdi_group_create(rdi_engine* const* engines, int32_t count, const char* library);
// What sums over a group: "NCCL 2.28.3". Null: it cannot be loaded, and rdi_last_error(null) says why.
const char* rdi_group_library(const char* library);

RDI_EXPORT(rdi_plan_create) rdi_plan* rdi_plan_create(rdi_engine* engine, const int32_t* words, size_t count);
RDI_EXPORT(rdi_plan_destroy) void rdi_plan_destroy(rdi_plan* plan);
// Bytes of arenas, packed weights, accumulators and scratch that the plan holds.
RDI_EXPORT(rdi_plan_bytes) size_t rdi_plan_bytes(const rdi_plan* plan);

// `total`: the images of the whole batch, of which an engine of a group has `batch`; elsewhere as many. `buffers`: as
// many pointers as the plan has external buffers. `version`: of the parameters (see docs/plan-format.md). `cancel`:
// null, or a word that another thread sets to other than 0 to end the run before its next repetition or tile; not
// looked at where engines of a group wait for each other.
RDI_EXPORT(rdi_plan_run)
int32_t rdi_plan_run(rdi_plan* plan, int32_t batch, int32_t total, int32_t repeat, void* const* buffers,
                     int32_t version, const int32_t* cancel);
// Says, in the place of a run, that it will not be made: the others of the group do not wait for it. Not exported from
// WebAssembly.
void rdi_plan_skip(rdi_plan* plan);

// `thresholds`: one float a segment but the last. `probabilities` [batch, classes], `entropy` [batch] and `exits`
// [batch] receive the results.
RDI_EXPORT(rdi_adaptive_run)
int32_t rdi_adaptive_run(rdi_plan* plan, int32_t batch, const float* thresholds, void* const* buffers,
                         float* probabilities, float* entropy, int32_t* exits, int32_t version, const int32_t* cancel);

// The message of the plan's last run that failed, zero-terminated; "" if none.
RDI_EXPORT(rdi_run_error) const char* rdi_run_error(const rdi_plan* plan);
// The message of the last failure of any other function; with null, why the last engine could not be created.
RDI_EXPORT(rdi_last_error) const char* rdi_last_error(const rdi_engine* engine);

}  // extern "C"
