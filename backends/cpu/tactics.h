// The CPU's tactics, by the files that declare them.
#pragma once

#include <span>

#include "device/tactic.h"

namespace burnish::cpu {

/// Best guess first; which of those that support a problem is best is then measured.
std::span<const device::Tactic* const> tactics();

}  // namespace burnish::cpu
