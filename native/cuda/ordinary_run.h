// rdi_plan_run: phases in order, repeated inside the tile or from outside.
#pragma once

#include "core/rdi.h"
#include "group.h"
#include "run_context.h"

namespace rdi::cuda {

class OrdinaryRun : public RunContext {
 public:
  // `member`: null where no sums over a group are to be made.
  OrdinaryRun(Plan& plan, PlanMemory& memory, Stream& stream, const Device& device, const RunArguments& arguments,
              int32_t repeat, const Member* member)
      : RunContext(plan, memory, stream, device, arguments), repeat_(repeat), member_(member) {}

  // Puts all into the stream. `stale`: what is kept from the parameters must be computed anew. RDI_OK, or why the run
  // was given up where it meets the group.
  int32_t run(bool stale);

 private:
  void repeatTiles();
  void repeatPhases();
  void runPhase(int32_t index);
  bool waits(const Phase& phase) const { return member_ && phase.collective; }
  void runCollective(const NodeRange& range);
  void carry(int32_t images);
  void finishReductions(const Phase& phase);

  const int32_t repeat_;
  const Member* const member_;
  int32_t status_ = RDI_OK;
};

}  // namespace rdi::cuda
