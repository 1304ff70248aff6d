// The text of a kernel as text that a host's compiler takes.
#pragma once

#include <string>

namespace burnish::emulated {

/// `text` for an architecture ("sm_90a") with device.h before it, calls of what that defines in the place of
/// PTX, and entry points for the machine behind it. Throws std::runtime_error naming the function whose PTX
/// has no counterpart here.
std::string translate(const std::string& text, const std::string& architecture);

}  // namespace burnish::emulated
