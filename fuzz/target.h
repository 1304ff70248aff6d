// What the fuzz targets share: bad input may give an Error and nothing else.
#pragma once

#include <burnish/error.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace burnish::fuzz {

/// Runs `body`; an Error with a message is an answer. Any other exception leaves, which the fuzzer reports.
template <class Body>
void expect_error_or_success(Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    if (error.message().empty()) std::abort();
  }
}

/// A finding unless both texts are the same.
inline void expect_equal(const std::string& expected, const std::string& given) {
  if (expected == given) return;
  std::fprintf(stderr, "expected:\n%s\ngiven:\n%s\n", expected.c_str(), given.c_str());
  std::abort();
}

}  // namespace burnish::fuzz
