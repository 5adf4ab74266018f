// rdi_plan_run: phases in order, repeated inside the tile or from outside.
#pragma once

#include "run_context.h"

namespace rdi::cuda {

class OrdinaryRun : public RunContext {
 public:
  OrdinaryRun(Plan& plan, PlanMemory& memory, Stream& stream, const Device& device, const RunArguments& arguments,
              int32_t repeat)
      : RunContext(plan, memory, stream, device, arguments), repeat_(repeat) {}

  // Puts all into the stream. `stale`: what is kept from the parameters must be computed anew.
  void run(bool stale);

 private:
  void repeatTiles();
  void repeatPhases();
  void runPhase(int32_t index);
  void runCollective(const NodeRange& range);
  void carry(int32_t images);
  void finishReductions(const Phase& phase);

  const int32_t repeat_;
};

}  // namespace rdi::cuda
