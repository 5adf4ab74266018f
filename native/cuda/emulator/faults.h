// Failures on demand. RDI_EMULATED_FAULT=WHAT:N, looked at whenever it may happen, has the N-th of these fail, counted
// from when the variable was set to this value:
//   launch  a kernel's start is refused, as for want of resources
//   kernel  a kernel that runs accesses an illegal address: the device is lost, and all later calls fail
//   graph   there is no memory to make a graph
//   copy    a copy is refused
#pragma once

namespace rdi::emulator {

bool failsNow(const char* what);

}  // namespace rdi::emulator
