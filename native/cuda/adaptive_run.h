// rdi_adaptive_run: images leave at the first exit that is sure of them, and those that stay move together. How many
// they are is known on the device alone: kernels are started for all, and find out how many there still are.
#pragma once

#include "run_context.h"

namespace rdi::cuda {

// All on the device.
struct AdaptiveResults {
  float* probabilities;  // [batch, classes]
  float* entropy;        // [batch]
  int32_t* exits;        // [batch]
};

class AdaptiveRun : public RunContext {
 public:
  // `thresholds`: one for every segment but the last, on the device.
  AdaptiveRun(Plan& plan, PlanMemory& memory, Stream& stream, const Device& device, const RunArguments& arguments,
              const float* thresholds, const AdaptiveResults& results)
      : RunContext(plan, memory, stream, device, arguments,
                   {thresholds, results.probabilities, results.entropy, results.exits}),
        thresholds_(thresholds),
        results_(results) {}

  // Puts all into the stream. `stale`: what is kept from the parameters must be computed anew.
  void run(bool stale);

 private:
  void runTile(int32_t first, int32_t images);
  void leave(size_t segment, const Images& images, int32_t first);
  int32_t* imagesOf(size_t segment) const { return memory.images + segment * size_t(plan.tile); }

  const float* const thresholds_;
  const AdaptiveResults results_;
};

}  // namespace rdi::cuda
