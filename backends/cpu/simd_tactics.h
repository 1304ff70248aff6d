// The tactics of our own kernels, one function per file.
#pragma once

#include "device/tactic.h"

namespace burnish::cpu {

const device::Tactic& pointwise_tactic();

}  // namespace burnish::cpu
