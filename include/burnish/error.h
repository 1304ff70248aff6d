// Failures: one exception type with a chain of contexts, outermost first.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace burnish {

/// A failure that says which thing it concerns, what was expected and what to do.
/// Contexts ("model page.onnx", "node Conv_3") are added while the exception travels upwards.
class Error : public std::exception {
 public:
  explicit Error(std::string message) : message_(std::move(message)) { render(); }

  /// Adds the next outer context, e.g. `error.add_context("node 'Conv_3'")`.
  Error& add_context(std::string context) {
    contexts_.insert(contexts_.begin(), std::move(context));
    render();
    return *this;
  }

  const char* what() const noexcept override { return rendered_.c_str(); }
  const std::string& message() const { return message_; }
  const std::vector<std::string>& contexts() const { return contexts_; }

 private:
  void render() {
    rendered_.clear();
    for (const std::string& context : contexts_) rendered_ += context + ": ";
    rendered_ += message_;
  }

  std::string message_;
  std::vector<std::string> contexts_;
  std::string rendered_;
};

/// Wrong usage of the command line or an API (the tool exits with 2 instead of 1).
class UsageError : public Error {
 public:
  using Error::Error;
};

/// The caller asked to stop through a cancel callback.
class Cancelled : public Error {
 public:
  Cancelled() : Error("cancelled by the caller") {}
};

}  // namespace burnish
