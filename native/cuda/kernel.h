// What this engine knows of an operation's kernels: how much memory a node needs, and how its work is put into the
// stream.
#pragma once

#include "communicator.h"
#include "conv_arguments.h"
#include "core/op.h"
#include "core/rdi.h"
#include "extent.cuh"
#include "launch.h"
#include "losses.cuh"

namespace rdi {

namespace cuda {

// The facts of a device that kernels are chosen by.
struct Device {
  int32_t multiprocessors;
  int32_t precision;  // an rdi_precision, which the device has
};

}  // namespace cuda

// A node's work on some images (or on whole values).
class NodeRun {
 public:
  const Plan& plan;
  const Node& node;
  void* const* values;  // on the device
  cuda::Images images;
  int32_t batch;                     // images of the whole run
  int32_t total;                     // those of the group's other engines included
  cuda::Communicator* communicator;  // null: the engine is alone
  float* scratch;
  float* accumulator;
  cuda::Fault* fault;
  cuda::Stream& stream;
  const cuda::Device& device;

  bool has(int32_t i) const { return i < node.inputCount && node.inputs[i] >= 0; }
  const Value& value(int32_t i) const { return plan.values[size_t(node.inputs[i])]; }
  const Value& outputValue() const { return plan.values[size_t(node.outputs[0])]; }
  // Null for an optional input that is absent.
  const float* in(int32_t i) const { return has(i) ? static_cast<const float*>(values[node.inputs[i]]) : nullptr; }
  const int32_t* inI32(int32_t i) const { return static_cast<const int32_t*>(values[node.inputs[i]]); }
  float* out() const { return static_cast<float*>(values[node.outputs[0]]); }
  int32_t attribute(int32_t i) const { return node.attributes[i]; }
  float floatAttribute(int32_t i) const { return __builtin_bit_cast(float, node.attributes[i]); }
  template <class State>
  const State& state() const {
    return *reinterpret_cast<const State*>(node.state);
  }

  // All elements of a value: of the images, or of the whole.
  cuda::Extent extent(const Value& value) const {
    return {value.perImage ? images : cuda::Images{1, nullptr}, int64_t(value.elements)};
  }
  // Starts a kernel of which each thread does some of `count` things, whatever their number.
  template <class Arguments>
  void launch(void (*kernel)(Arguments), int64_t count, const Arguments& arguments) const {
    constexpr unsigned threads = 256;
    const int64_t most = int64_t(device.multiprocessors) * 32, wanted = (count + threads - 1) / threads;
    const auto blocks = unsigned(wanted < 1 ? 1 : wanted < most ? wanted : most);
    stream.launch(node.op->name, kernel, dim3(blocks), threads, arguments);
  }
  template <class Arguments>
  void launch(void (*kernel)(Arguments), const cuda::Extent& extent, const Arguments& arguments) const {
    launch(kernel, extent.elements * extent.images.most, arguments);
  }
};

struct Kernel {
  const char* name;
  // Sets how many floats the node needs for packed weights, scratch and accumulators. Null: none.
  void (*prepare)(NodeView& view, const cuda::Device& device) = nullptr;
  // Null for reductions.
  void (*run)(const NodeRun& run) = nullptr;
  // Input 1, the weight, as the kernel wants it. Null if it takes weights as they are.
  void (*pack)(const NodeRun& run, float* packed) = nullptr;
  // Reductions: adds these images to the accumulator (zero at first), and makes the output from it.
  void (*accumulate)(const NodeRun& run) = nullptr;
  void (*finish)(const NodeRun& run) = nullptr;
};

namespace cuda {

struct KernelList {
  const Kernel* first;
  size_t count;
};

// One a file.
KernelList convKernels();
KernelList linearKernels();
KernelList poolKernels();
KernelList normKernels();
KernelList elementwiseKernels();
KernelList lossKernels();
KernelList randomKernels();
KernelList layoutKernels();
KernelList reduceKernels();

const Kernel* findKernel(const char* name);

}  // namespace cuda
}  // namespace rdi
