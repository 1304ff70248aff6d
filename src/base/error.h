// Formatting helpers for failures, and Reason: an expected "no".
#pragma once

#include <burnish/error.h>
#include <fmt/core.h>

#include <optional>
#include <string>
#include <utility>

namespace burnish {

/// Throws Error with a formatted message.
template <class... Arguments>
[[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  throw Error(fmt::format(format, std::forward<Arguments>(arguments)...));
}

/// Throws unless `condition` holds; for what bad input can cause. Internal contracts use assert.
template <class... Arguments>
void require(bool condition, fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  if (!condition) fail(format, std::forward<Arguments>(arguments)...);
}

/// Runs `body`; an Error that leaves it gains the context that `describe()` returns.
template <class Body, class Describe>
decltype(auto) with_context(Describe&& describe, Body&& body) {
  try {
    return body();
  } catch (Error& error) {
    error.add_context(describe());
    throw;
  }
}

/// Yes, or the reason why not. An expected answer, so it is returned rather than thrown.
class [[nodiscard]] Support {
 public:
  static Support yes() { return Support(); }
  template <class... Arguments>
  static Support no(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
    Support support;
    support.reason_ = fmt::format(format, std::forward<Arguments>(arguments)...);
    return support;
  }
  explicit operator bool() const { return !reason_; }
  /// The reason of a "no"; empty for a "yes".
  const std::string& reason() const {
    static const std::string none;
    return reason_ ? *reason_ : none;
  }

 private:
  std::optional<std::string> reason_;
};

}  // namespace burnish
