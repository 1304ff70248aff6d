// The tactics that run oneDNN's primitives, by the files that declare them.
#pragma once

#include "device/tactic.h"

namespace burnish::cpu {

const device::Tactic& conv_tactic();        // conv.cpp
const device::Tactic& matmul_tactic();      // matmul.cpp
const device::Tactic& pool_tactic();        // pool.cpp
const device::Tactic& softmax_tactic();     // normalize.cpp
const device::Tactic& layer_norm_tactic();  // normalize.cpp
const device::Tactic& lrn_tactic();         // normalize.cpp
const device::Tactic& reformat_tactic();    // reformat.cpp

}  // namespace burnish::cpu
