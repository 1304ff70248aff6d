// The CPU's tactics, by the files that declare them.
#pragma once

#include <span>

#include "device/tactic.h"

namespace burnish::cpu {

/// Best guess first; which of those that support a problem is best is then measured.
std::span<const device::Tactic* const> tactics();

const device::Tactic& conv_tactic();      // conv.cpp
const device::Tactic& matmul_tactic();    // matmul.cpp
const device::Tactic& pool_tactic();      // pool.cpp
const device::Tactic& reformat_tactic();  // reformat.cpp
const device::Tactic& softmax_tactic();   // softmax.cpp

}  // namespace burnish::cpu
